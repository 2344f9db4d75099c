"""People who use the public API, as tests see them: everything goes through the gateway."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

FINAL = ("completed", "failed", "cancelled")
# What a gateway answers while a part is away, is being replaced, or still holds the key of a call that got lost.
AWAY = (409, 425, 429, 500, 502, 503, 504)
PASSWORD = "a long pass phrase"
SMALL = {"image": {"width": 432, "height": 768}, "render": {"resolution": "720p"}}


def brief(**changes: Any) -> dict[str, Any]:
    """The shortest brief there is, at the smallest size."""
    return {
        "topic": "Why the night sky is dark",
        "points": ["The universe has an age."],
        "duration_seconds": 5,
        "settings": SMALL,
        **changes,
    }


class Person:
    """Somebody with an organisation of their own."""

    def __init__(self, client: httpx.AsyncClient, session: dict[str, Any], token: str) -> None:
        self.http = client
        self.session = session
        self.token = token
        self.headers = {"authorization": f"Bearer {token}"}

    @property
    def org_id(self) -> str:
        return str(self.session["user"]["organisations"][0]["id"])

    @classmethod
    async def register(cls, client: httpx.AsyncClient) -> "Person":
        """Register and sign in with a fresh address; work with a personal access token of all scopes."""
        address = f"{uuid.uuid4().hex[:12]}@example.com"
        made = await client.post("/v1/auth/register", json={"email": address, "password": PASSWORD, "name": "Ada"})
        assert made.status_code == 201, made.text
        session = made.json()
        scopes = ["read", "jobs:write", "webhooks:write", "assets:write", "templates:write", "usage:read"]
        token = await client.post(
            "/v1/access-tokens",
            json={"name": "test", "scopes": scopes},
            headers={"authorization": f"Bearer {session['access_token']}"},
        )
        assert token.status_code == 201, token.text
        return cls(client, session, token.json()["token"])

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(f"/v1{path}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(f"/v1{path}", json=body, headers={**self.headers, **headers})

    async def make_video(self, **changes: Any) -> str:
        answer = await self.post("/video/generate", brief(**changes))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def insist(self, path: str, body: Any, *, seconds: float = 120) -> dict[str, Any]:
        """Post under one key until it is answered well, as a client does whose answers get lost."""
        headers = {**self.headers, "idempotency-key": uuid.uuid4().hex}
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                answer = await self.http.post(f"/v1{path}", json=body, headers=headers)
                if answer.is_success:
                    taken: dict[str, Any] = answer.json()
                    return taken
                assert answer.status_code in AWAY, answer.text
                told = answer.text
            except httpx.HTTPError as error:
                told = repr(error)
            assert asyncio.get_running_loop().time() < deadline, told
            await asyncio.sleep(0.1)

    async def insist_on_video(self, **changes: Any) -> str:
        return str((await self.insist("/video/generate", brief(**changes)))["id"])

    async def has_ended(self, job_id: str) -> bool:
        """False as well when nobody answers."""
        try:
            answer = await self.http.get(f"/v1/jobs/{job_id}", headers=self.headers)
        except httpx.HTTPError:
            return False
        return answer.is_success and answer.json()["status"] in FINAL

    async def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/jobs/{job_id}")
        return found

    async def steps(self, job_id: str) -> dict[str, dict[str, Any]]:
        listed = await self.get(f"/jobs/{job_id}/steps")
        return {step["key"]: step for step in listed["data"]}

    async def until_job(self, job_id: str, *statuses: str, seconds: float = 240) -> dict[str, Any]:
        """The job once it has one of these states; final by default. Answers that fail on the way are asked again."""
        wanted = statuses or FINAL
        deadline = asyncio.get_running_loop().time() + seconds
        job: dict[str, Any] = {}
        while asyncio.get_running_loop().time() < deadline:
            try:
                answer = await self.http.get(f"/v1/jobs/{job_id}", headers=self.headers)
                job = answer.json() if answer.status_code == 200 else job
            except httpx.HTTPError:
                pass
            if job.get("status") in wanted:
                return job
            await asyncio.sleep(0.1)
        raise AssertionError(f"the job is {job.get('status')} and not {wanted}: {job.get('error')}")

    async def until_step(self, job_id: str, key: str, status: str, seconds: float = 120) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            step = (await self.steps(job_id)).get(key, {})
            if step.get("status") == status:
                return step
            await asyncio.sleep(0.02)
        raise AssertionError(f"step {key} did not become {status}")

    @asynccontextmanager
    async def stream(
        self, job_id: str, *, after: int = 0, url: str = ""
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The job's live events; `url` asks another gateway."""
        headers = {**self.headers, "accept": "text/event-stream", "last-event-id": str(after)}
        async with self.http.stream("GET", f"{url}/v1/jobs/{job_id}/events", headers=headers, timeout=120) as answer:
            yield _events(answer)


async def newcomer(client: httpx.AsyncClient, *, seconds: float = 120) -> Person:
    """Somebody new; while the gateway is away they try again, under another address."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await Person.register(client)
        except (httpx.HTTPError, AssertionError):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            yield json.loads(line[5:])
