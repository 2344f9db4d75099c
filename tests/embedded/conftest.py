"""Real parts, each started for the test that asks for it and ended afterwards by its own handle."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fenta.embedded.processes import end, free_port


class RunningPart:
    """`python -m fenta.embedded.<module> folder --port N`, which can be killed and started again on the same port."""

    replication = 1

    def __init__(self, module: str, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder.with_name(f"{folder.name}.log")
        self.environment = environment
        self.command = [sys.executable, "-m", module, str(folder), "--port", str(self.port), *arguments]
        self.start()

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> dict[str, Any]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError(self.log.read_text())
        return dict(json.loads(line))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> int:
        status = end(self.process, first=signal.SIGTERM)
        self._close()
        return status

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def run_part(tmp_path: Path) -> Iterator[Callable[..., RunningPart]]:
    parts: list[RunningPart] = []

    def run(module: str, *arguments: str, **options: Any) -> RunningPart:
        part = RunningPart(module, tmp_path / f"part{len(parts)}", *arguments, **options)
        parts.append(part)
        return part

    yield run
    for part in parts:
        part.stop()


@pytest.fixture
def run_broker(run_part: Callable[..., RunningPart]) -> Callable[..., RunningPart]:
    return lambda *arguments: run_part("fenta.embedded.broker", *arguments)


@pytest.fixture
def broker(run_broker: Callable[..., RunningPart]) -> RunningPart:
    return run_broker()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Polls a condition until it holds; fails after `seconds`."""

    def wait(condition: Callable[[], object], *, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)

    return wait
