"""The services behind the gateway as one small real HTTP server each, which remember what they were asked."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as the owner saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def identity(self) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            self.headers["fenta-identity"], options={"verify_signature": False, "verify_aud": False}
        )
        return claims


@dataclass
class FakeOwner:
    """Answers what a test has set for a path, else 200 with an echo."""

    name: str
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> "FakeOwner":
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def on(self, method: str, path: str, answer: Handler | Any, *, status: int = 200) -> None:
        """Answer this path with JSON, or by a handler."""

        async def fixed(_request: web.Request) -> web.StreamResponse:
            return web.json_response(answer, status=status)

        self.answers[method, path] = answer if callable(answer) else fixed

    def last(self) -> Asked:
        return self.asked[-1]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.asked.append(Asked(request.method, request.rel_url.raw_path, request.query_string, headers, body))
        handler = self.answers.get((request.method, request.path))
        if handler:
            return await handler(request)
        echo = {"owner": self.name, "path": request.path, "body": json.loads(body) if body else None}
        return web.json_response(echo)


UNITS = {
    "valid": True,
    "problems": [],
    "units": {"low": {"kai_credits": 8}, "high": {"kai_credits": 20, "render_seconds": 60}},
    "nodes": [{"node_id": "render", "low": {}, "high": {"render_seconds": 60}, "reused": False}],
    "duration_seconds": {"low": 20, "high": 60},
    "notes": ["The offline writer knows no facts."],
}
QUOTE = {
    "ok": True,
    "code": None,
    "message": "",
    "missing": {},
    "cost": {"low_micros": 320_000, "high_micros": 1_100_000},
    "hold": {"kai_credits": 20, "render_seconds": 60},
    "units": [
        {"unit": "kai_credits", "low": 8, "high": 20, "included_left": 400, "overage": 0},
        {"unit": "render_seconds", "low": 0, "high": 60, "included_left": 100, "overage": 0},
    ],
}
