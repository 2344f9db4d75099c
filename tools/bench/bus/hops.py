"""T6: how long a quiet step takes from the event to the handler, beside the same way without any of our promises.

The bare hop commits a row, tells of it by NOTIFY, and whoever hears that sends a record to whoever waits for it.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import uvloop

from tools.bench.bus import floors
from tools.bench.bus.path import Path, open_path
from tools.bench.bus.stage import Stage, stage
from tools.bench.page import result

ROUNDS = 5
TIMES = 300
TIMES_OF_JOBS = 100
PAUSE_SECONDS = 0.025
STEPS = 5


class Round(NamedTuple):
    """Seconds of each hop."""

    bare: Sequence[float]
    notifications: Sequence[float]
    records: Sequence[float]
    steps: Sequence[float]
    jobs: Sequence[float]

    @property
    def milliseconds(self) -> float:
        return _middle(self.steps) * 1000

    @property
    def bare_milliseconds(self) -> float:
        return _middle(self.bare) * 1000

    @property
    def median_ratio(self) -> float:
        return _middle(self.steps) / _middle(self.bare)

    @property
    def late_ratio(self) -> float:
        return _late(self.steps) / _late(self.bare)

    @property
    def rowless_ratio(self) -> float:
        return _middle(self.steps) / (_middle(self.notifications) + _middle(self.records))

    @property
    def job_ratio(self) -> float:
        return _middle(self.jobs) / _middle(self.steps)


def run() -> list[dict[str, Any]]:
    with stage() as here:
        rounds = uvloop.run(measured(here))
    return [
        result("bus.hop", "event to handler at rest, p50, ms", [one.milliseconds for one in rounds]),
        result(
            "bus.hop.bare",
            "a row committed, NOTIFY, a record sent and fetched, p50, ms",
            [one.bare_milliseconds for one in rounds],
        ),
        result("T6.p50", "event to handler / this bare hop, p50", [one.median_ratio for one in rounds], goal="<= 2"),
        result("T6.p99", "the same, p99", [one.late_ratio for one in rounds], goal="<= 3"),
        result("T6.rowless", "event to handler / NOTIFY + record, no row, p50", [one.rowless_ratio for one in rounds]),
        result("T6.job", "a job of five steps / one step, p50", [one.job_ratio for one in rounds], goal="<= 6"),
    ]


async def measured(here: Stage) -> list[Round]:
    async with open_path(here) as path:
        rounds = [
            Round(
                await floors.hops(here.url, here.servers, TIMES, PAUSE_SECONDS),
                await floors.notifications(here.url, TIMES_OF_JOBS, PAUSE_SECONDS),
                await floors.records(here.servers, TIMES_OF_JOBS, PAUSE_SECONDS),
                await _steps(path),
                await _jobs(path),
            )
            for _ in range(ROUNDS + 1)
        ]
    return rounds[1:]


async def _steps(path: Path) -> Sequence[float]:
    """From the moment an event's transaction begins to the moment its handler does."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await path.walk(jobs=1, steps=1)
        taken.append(path.last_begun - started)
        await asyncio.sleep(PAUSE_SECONDS)
    return taken


async def _jobs(path: Path) -> Sequence[float]:
    """The same for the last step of a job."""
    taken = []
    for _ in range(TIMES_OF_JOBS):
        started = time.perf_counter()
        await path.walk(jobs=1, steps=STEPS)
        taken.append(path.last_begun - started)
        await asyncio.sleep(PAUSE_SECONDS)
    return taken


def _middle(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def _late(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]
