"""Kafka's own judges: a producer and a consumer that print what they did, one JSON object per line."""

import contextlib
import json
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fenta.embedded.processes import end
from tests.support.kafka import java

TOOLS = "org.apache.kafka.tools"
# The tool's own defaults are no idempotence and no second try.
SURE = "enable.idempotence=true\nretries=2147483647\nrequest.timeout.ms=5000\n"


class Verifiable:
    """One running tool; its output is kept in files, so that it never waits for us."""

    def __init__(self, folder: Path, program: str, *arguments: str) -> None:
        folder.mkdir(parents=True)
        self._out, self._errors = folder / "out", folder / "errors"
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(java(f"{TOOLS}.{program}", *arguments), stdout=out, stderr=errors)

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it said so far under that name; a line that is being written does not count yet."""
        found = []
        for line in self._out.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [event for event in found if event["name"] == name]

    def said(self) -> str:
        return self._out.read_text()[-2000:] + self._errors.read_text()[-4000:]

    def until(self, name: str, count: int = 1, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while len(self.events(name)) < count:
            assert time.monotonic() < deadline, f"no {name}: {self.said()}"
            time.sleep(0.05)

    def ended(self, seconds: float = 90) -> int:
        """Its exit status, once it has ended by itself."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        end(self.process, first=signal.SIGTERM, grace_seconds=30)


class Judges:
    """Starts them, and ends those that still run."""

    def __init__(self, servers: str, folder: Path) -> None:
        self._servers = servers
        self._folder = folder
        folder.mkdir()
        self._started: list[Verifiable] = []

    def produce(self, topic: str, count: int, *, per_second: int = -1, prefix: int = 0) -> Verifiable:
        sure = self._folder / "sure.properties"
        sure.write_text(SURE)
        return self._start(
            "VerifiableProducer",
            *("--topic", topic, "--max-messages", str(count), "--throughput", str(per_second), "--acks", "-1"),
            *("--value-prefix", str(prefix), "--command-config", str(sure)),
        )

    def consume(self, topic: str, group: str, *options: str) -> Verifiable:
        return self._start(
            "VerifiableConsumer",
            *("--topic", topic, "--group-id", group, "--reset-policy", "earliest", "--verbose", *options),
        )

    def _start(self, program: str, *arguments: str) -> Verifiable:
        folder = self._folder / f"{program}-{len(self._started)}"
        self._started.append(Verifiable(folder, program, "--bootstrap-server", self._servers, *arguments))
        return self._started[-1]

    def end_all(self) -> None:
        for one in self._started:
            one.kill()


@contextlib.contextmanager
def judges(servers: str, folder: Path) -> Iterator[Judges]:
    made = Judges(servers, folder)
    try:
        yield made
    finally:
        made.end_all()


def acknowledged(*producers: Verifiable) -> list[str]:
    """All values that a broker took, in order."""
    return sorted(event["value"] for one in producers for event in one.events("producer_send_success"))


def consumed(*consumers: Verifiable) -> list[str]:
    return sorted(event["value"] for one in consumers for event in one.events("record_data"))


def assert_no_gap(consumer: Verifiable) -> None:
    """Of one member alone: no batch begins beyond the end of the last one, and commits only rise."""
    expected: dict[int, int] = defaultdict(int)
    for event in consumer.events("records_consumed"):
        for one in event["partitions"]:
            assert one["minOffset"] <= expected[one["partition"]], event
            expected[one["partition"]] = max(expected[one["partition"]], one["maxOffset"] + 1)
    kept: dict[int, int] = defaultdict(int)
    for event in consumer.events("offsets_committed"):
        for one in event["offsets"] if event["success"] else []:
            assert one["offset"] >= kept[one["partition"]], event
            kept[one["partition"]] = one["offset"]
