"""Processes that tests kill, start again under the same name, or make stand still."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from fenta.chassis.settings import Settings
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.bus import free_ports


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


class Replica:
    """One more process of a service of the stack, on ports of its own."""

    def __init__(self, stack: Stack, service: str, log: Path, *, instance_id: str) -> None:
        http_port, admin_port = free_ports(2)
        self.url = f"http://127.0.0.1:{http_port}"
        self._admin_url = f"http://127.0.0.1:{admin_port}"
        self._log = log
        ports = {"HTTP_PORT": str(http_port), "ADMIN_PORT": str(admin_port)}
        environment = os.environ | stack.environment(service) | ports | {"INSTANCE_ID": instance_id}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"fenta.{service}"], env=environment, stdout=output, stderr=output
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Killed, unless it has ended by now."""
        self._process.kill()
        self._process.wait()

    async def ready(self) -> None:
        async def well() -> bool:
            assert self._process.poll() is None, self.log()[-3000:]
            return await _answers(f"{self._admin_url}/readyz")

        await until(well, seconds=120)

    async def count(self, metric: str, **labels: str) -> float:
        """A metric of this process, summed over the labels that are not given."""
        async with httpx.AsyncClient(trust_env=False) as client:
            told = (await client.get(f"{self._admin_url}/metrics")).text
        samples = [sample for family in text_string_to_metric_families(told) for sample in family.samples]
        return sum(one.value for one in samples if one.name == metric and labels.items() <= one.labels.items())

    def terminate(self) -> None:
        self._process.terminate()

    async def ended(self) -> int:
        """Its exit status, once it has ended."""

        async def gone() -> bool:
            return self._process.poll() is not None

        await until(gone, seconds=120)
        return self._process.returncode

    def log(self) -> str:
        return self._log.read_text()


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(url)).is_success
    except httpx.HTTPError:
        return False


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
