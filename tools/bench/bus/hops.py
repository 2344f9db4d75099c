"""T6: how long a quiet step takes from the event to the handler, beside the same way without any of our promises.

The bare hop commits a row, tells of it by NOTIFY, and whoever hears that sends a record to whoever waits for it.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Sequence
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

    bare: list[float]
    notifications: list[float]
    records: list[float]
    steps: list[float]
    jobs: list[float]

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
    """The first round warms up and does not count."""
    async with open_path(here) as path, floors.open_hops(here.url, here.servers) as bare:
        return [await _round(path, bare) for _ in range(ROUNDS + 1)][1:]


async def _round(path: Path, bare: floors.Hops) -> Round:
    """One after the other, so that all see the same of a machine that is slow now and quick then."""
    taken = Round([], [], [], [], [])
    for number in range(TIMES):
        taken.bare.append(await _alone(bare.whole()))
        taken.steps.append(await _alone(_begun(path, steps=1)))
        if number < TIMES_OF_JOBS:
            taken.notifications.append(await _alone(bare.notification()))
            taken.records.append(await _alone(bare.record()))
            taken.jobs.append(await _alone(_begun(path, steps=STEPS)))
    return taken


async def _begun(path: Path, *, steps: int) -> float:
    """From the moment an event's transaction begins to the moment the handler of a job's last step does."""
    started = time.perf_counter()
    await path.walk(jobs=1, steps=steps)
    return path.last_begun - started


async def _alone(hop: Awaitable[float]) -> float:
    """Nothing else moves meanwhile, not even what the last one left to do."""
    seconds = await hop
    await asyncio.sleep(PAUSE_SECONDS)
    return seconds


def _middle(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def _late(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]
