"""Processes that tests kill, start again under the same name, or make stand still."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil

from fenta.chassis.settings import Settings
from fenta.embedded.supervisor import Stack
from tests.conftest import until


class PartProcess:
    """The small service of `tests.support.part`, as billing: `python -m tests.support.part`."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{settings.http_port}"

    def launch(self, **environment: str) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.part", "billing"],
                env=os.environ | self._environment() | environment,
                stdout=log,
                stderr=log,
            )

    def _environment(self) -> dict[str, str]:
        settings = self._settings
        return {
            "INSTANCE_ID": settings.instance_id,
            "HTTP_PORT": str(settings.http_port),
            "ADMIN_PORT": str(settings.admin_port),
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "KAFKA_SESSION_TIMEOUT_SECONDS": str(settings.kafka_session_timeout_seconds),
        }

    async def health(self) -> dict[str, str]:
        """State by part; empty while nobody answers."""
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                checks = (await client.get(f"{self.url}/readyz")).json()["checks"]
        except httpx.TransportError:
            return {}
        return {name: check["status"] for name, check in checks.items()}

    async def ready(self) -> None:
        async def well() -> bool:
            assert self.running, self._log.read_text()[-3000:]
            return set((await self.health()).values()) == {"ok"}

        await until(well)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def died(self) -> int:
        """How it ended, once it has by itself."""

        async def gone() -> bool:
            return not self.running

        await until(gone)
        assert self._process is not None
        return self._process.returncode

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)

    def log(self) -> str:
        return self._log.read_text()


@contextlib.contextmanager
def frozen(stack: Stack, service: str) -> Iterator[None]:
    """The process stands still inside; afterwards it goes on, unless it is gone."""
    process = psutil.Process(stack.pids()[service])
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
