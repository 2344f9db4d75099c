"""Liveness says that the process is not stuck; readiness says whether it can serve, and why not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

State = Literal["ok", "degraded", "down"]
CHECK_TIMEOUT_SECONDS = 3.0
LOOP_STUCK_SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    """How one part is: a state and a sentence."""

    state: State
    sentence: str


Probe = Callable[[], Awaitable[Check]]


class Health:
    """The checks of one process."""

    def __init__(
        self,
        service: str,
        *,
        stuck_seconds: float = LOOP_STUCK_SECONDS,
        check_seconds: float = CHECK_TIMEOUT_SECONDS,
    ) -> None:
        self.service = service
        self._stuck_seconds = stuck_seconds
        self._check_seconds = check_seconds
        self._probes: dict[str, Probe] = {}
        self._since: dict[str, tuple[State, str]] = {}
        self._last_tick = time.monotonic()
        self.draining = False

    def add(self, name: str, probe: Probe) -> None:
        self._probes[name] = probe

    async def tick(self) -> None:
        """Run beside everything else; its delay shows whether the event loop is stuck."""
        while True:
            self._last_tick = time.monotonic()
            await asyncio.sleep(0.5)

    async def report(self) -> dict[str, Any]:
        checks = dict(zip(self._probes, await asyncio.gather(*map(self._probe, self._probes)), strict=True))
        if self.draining:
            checks["process"] = Check("down", "The process is stopping.")
        states = {check.state for check in checks.values()}
        status = "down" if "down" in states else "degraded" if "degraded" in states else "ok"
        return {"service": self.service, "status": status, "checks": {k: self._show(k, v) for k, v in checks.items()}}

    async def _probe(self, name: str) -> Check:
        try:
            return await asyncio.wait_for(self._probes[name](), self._check_seconds)
        except Exception as error:  # whatever it is, the part is not well
            return Check("down", f"{type(error).__name__}: {error}"[:300])

    def _show(self, name: str, check: Check) -> dict[str, str]:
        state, since = self._since.get(name, (None, ""))
        if state != check.state:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            self._since[name] = (check.state, since)
        return {"status": check.state, "since": since, "sentence": check.sentence}

    async def livez(self, _request: Request) -> Response:
        stuck = time.monotonic() - self._last_tick > self._stuck_seconds
        return JSONResponse({"status": "stuck" if stuck else "ok"}, status_code=503 if stuck else 200)

    async def readyz(self, request: Request) -> Response:
        report = await self.report()
        strict = request.query_params.get("strict") == "true"
        ready = report["status"] == "ok" or (report["status"] == "degraded" and not strict)
        return JSONResponse(report, status_code=200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    def routes(self) -> list[Route]:
        return [Route("/livez", self.livez), Route("/readyz", self.readyz)]

    def admin_app(self) -> Starlette:
        """For the inside only: health and metrics."""
        return Starlette(routes=[*self.routes(), Route("/metrics", self.metrics)])
