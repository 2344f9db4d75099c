"""Customers who ask for pictures and short films, follow the stream of each job, and are told by a webhook."""

import asyncio
import contextlib
import time

import httpx

from tests.support.people import Person

# Somebody new comes now and then: accounts and webhooks are part of the load.
JOBS_OF_ONE = 10
# The others are pictures: what leaks with each job, request or event shows the sooner the more of them there are.
FILM_EVERY = 10
RICH_FILM_EVERY = 20
# What lasts longer hangs.
LONGEST_SECONDS = 600


class Customers:
    """Counts what they asked for and got; a job that does not complete is kept with the reason."""

    def __init__(self, http: httpx.AsyncClient, webhook_url: str) -> None:
        self.completed = 0
        self.failed: list[str] = []
        self._http = http
        self._webhook_url = webhook_url
        self._asked = 0
        self._lock = asyncio.Lock()
        self._person: Person | None = None
        self._open: set[asyncio.Task[None]] = set()

    def begin_anew(self) -> None:
        self.completed, self.failed = 0, []

    async def most_per_second(self, *, at_once: int, seconds: float) -> float:
        """How many jobs are done with so many in hand all the time; the first ones warm up and do not count."""
        await asyncio.gather(*(self.one() for _ in range(at_once)))
        before, started = self.completed, time.monotonic()

        async def one_after_the_other() -> None:
            while time.monotonic() - started < seconds:
                await self.one()

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        return (self.completed - before) / (time.monotonic() - started)

    async def keep_asking(self, pause_seconds: float) -> None:
        """A job at every beat, also when the last ones are not done."""
        due = time.monotonic()
        while True:
            task = asyncio.create_task(self.one())
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            due += pause_seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def all_ended(self) -> None:
        await asyncio.gather(*self._open)

    async def one(self) -> None:
        """From the request to the end."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                job = await self._job()
        except (AssertionError, TimeoutError, httpx.HTTPError) as error:
            self.failed.append(repr(error))
            return
        if job["status"] == "completed":
            self.completed += 1
        else:
            self.failed.append(f"{job['id']}: {job['error']}")

    async def _job(self) -> dict[str, object]:
        number, person = await self._somebody()
        if number % FILM_EVERY == 0:
            plain = {} if number % RICH_FILM_EVERY == 0 else {"music": False, "captions": False}
            job_id = await person.insist_on_video(topic=f"The night, part {number}", **plain)
        else:
            job_id = str((await person.insist("/jobs", {"workflow": picture(number)}))["id"])
        with contextlib.suppress(httpx.HTTPError):
            async with person.stream(job_id) as events:
                async for _ in events:
                    pass
        return await person.until_job(job_id, seconds=LONGEST_SECONDS)

    async def _somebody(self) -> tuple[int, Person]:
        async with self._lock:
            if self._person is None or self._asked % JOBS_OF_ONE == 0:
                self._person = await Person.register(self._http)
                await self._person.post("/webhooks", {"url": self._webhook_url, "events": ["*"]})
            self._asked += 1
            return self._asked, self._person


def picture(number: int) -> dict[str, object]:
    """A graph of one step; each number is another picture."""
    params = {"prompt": "a lake at dawn", "width": 256, "height": 256, "seed": number}
    node = {"id": "image", "type": "Input.KAI.GenerateImage", "params": params}
    return {"nodes": [node], "outputs": {"image": "image.image"}}
