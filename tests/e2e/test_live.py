"""Live updates: gapless, resumable anywhere, the same through every gateway."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from fenta.embedded.processes import free_port
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.people import FINAL, Person

FINAL_TYPES = {f"job.{status}" for status in FINAL}


@asynccontextmanager
async def second_gateway(stack: Stack) -> AsyncIterator[str]:
    """Another replica of the gateway, on ports of its own."""
    port, admin = free_port(), free_port()
    environment = {**stack.environment("gateway"), "HTTP_PORT": str(port), "ADMIN_PORT": str(admin), "INSTANCE_ID": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fenta.gateway", env={**os.environ, **environment}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: _answers(f"http://127.0.0.1:{admin}/readyz"))
        yield f"http://127.0.0.1:{port}"
    finally:
        await _end(process)


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


async def _end(process: Process) -> None:
    process.terminate()
    await process.wait()


async def test_a_stream_cut_after_each_event_and_resumed_elsewhere_is_the_whole_list(
    stack: Stack, person: Person
) -> None:
    async with second_gateway(stack) as other:
        job_id = await person.make_video()
        whole, pieces = await asyncio.gather(
            follow(person, job_id, stack.url), cut_and_resume(person, job_id, stack.url, other)
        )

    assert [event["seq"] for event in whole] == list(range(1, len(whole) + 1))
    assert [(event["seq"], event["type"]) for event in pieces] == [(event["seq"], event["type"]) for event in whole]
    assert whole[-1]["type"] in FINAL_TYPES
    listed = await person.get(f"/jobs/{job_id}/events")
    assert [event["seq"] for event in listed["data"]] == [event["seq"] for event in whole]


async def follow(person: Person, job_id: str, url: str) -> list[dict[str, Any]]:
    """The stream as it comes, to its end."""
    async with person.stream(job_id, url=url) as events:
        return [event async for event in events]


async def cut_and_resume(person: Person, job_id: str, *urls: str) -> list[dict[str, Any]]:
    """One event at a time, each from another gateway than the last."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] not in FINAL_TYPES:
        url = urls[len(found) % len(urls)]
        async with person.stream(job_id, after=found[-1]["seq"] if found else 0, url=url) as events:
            async for event in events:
                found.append(event)
                break
    return found


async def test_progress_never_falls_and_the_end_carries_the_video(stack: Stack, person: Person) -> None:
    job_id = await person.make_video()

    events = await follow(person, job_id, stack.url)

    numbers = [event["progress"] for event in events if event["type"] == "job.progress"]
    assert numbers == sorted(numbers)
    assert events[-1]["type"] == "job.completed"
    film = await person.http.get(events[-1]["video_url"])
    assert film.status_code == 200
    async with person.http.stream(
        "GET",
        f"/v1/jobs/{job_id}/events",
        headers={**person.headers, "accept": "text/event-stream", "last-event-id": str(events[-1]["seq"])},
    ) as nothing_left:
        assert nothing_left.status_code == 204
