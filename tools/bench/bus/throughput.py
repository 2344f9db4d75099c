"""T1, T2, T3, T11: steps through the whole path beside one INSERT and COMMIT for each, on a fast and on a slow disk.

As every service runs them, counted and traced; T1 once more without metrics and traces.
"""

from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import uvloop
from prometheus_client.values import ValueClass

from fenta.chassis import telemetry
from tools.bench.bus import floors
from tools.bench.bus.path import Path, open_path
from tools.bench.bus.stage import Stage, stage
from tools.bench.page import result

ROUNDS = 7
ROUNDS_ON_SLOW_DISK = 5
# As many in flight as fill a batch of the consumer, while another is worked on, ended and sent.
JOBS = 4000
# Long enough that their beginning and their end, when less is in flight, weigh little.
STEPS = 10


class Round(NamedTuple):
    floor: float
    steps: float
    unwatched: float
    floor_cpu: float
    steps_cpu: float
    commits: list[int]

    @property
    def ratio(self) -> float:
        return self.steps / self.floor

    @property
    def unwatched_ratio(self) -> float:
        return self.unwatched / self.floor

    @property
    def cpu_ratio(self) -> float:
        return self.steps_cpu / self.floor_cpu


def run() -> list[dict[str, Any]]:
    with stage() as here:
        rounds = uvloop.run(measured(here, ROUNDS))
    with stage(slow_disk=True) as there:
        slow_rounds = uvloop.run(measured(there, ROUNDS_ON_SLOW_DISK))
    return [
        result("bus.floor", "INSERT and COMMIT per second, 16 connections", [one.floor for one in rounds]),
        result("bus.steps", "steps per second, one process, whole path", [one.steps for one in rounds]),
        result("T1", "steps / INSERTs", [one.unwatched_ratio for one in rounds], goal=">= 0.9"),
        result("T1.watched", "steps / INSERTs, metrics and traces on", [one.ratio for one in rounds], goal=">= 0.8"),
        result("T2", "the same with 2 ms more per fsync", [one.ratio for one in slow_rounds], goal=">= 2.5"),
        result("T3", "CPU of a step / CPU of an INSERT", [one.cpu_ratio for one in rounds], goal="<= 1"),
        result("T11", "events per commit, median", [events_per_commit(rounds)], goal=">= 50"),
    ]


def events_per_commit(rounds: Sequence[Round]) -> int:
    """The median over all of them."""
    commits = sorted(size for one in rounds for size in one.commits)
    return commits[len(commits) // 2]


async def measured(here: Stage, count: int) -> list[Round]:
    """All in turn, watched first in every other round; the first round warms up and does not count."""
    async with open_path(here) as path:
        rounds = []
        for number in range(count + 1):
            floor, floor_cpu = await _at_the_cost_of(here, floors.inserts(here.url))
            path.commits = []
            unwatched_first = 0.0 if number % 2 else await _unwatched_walk(path)
            seconds, steps_cpu = await _at_the_cost_of(here, path.walk(jobs=JOBS, steps=STEPS))
            seconds_unwatched = unwatched_first or await _unwatched_walk(path)
            rounds.append(
                Round(
                    floor=floor,
                    steps=JOBS * STEPS / seconds,
                    unwatched=JOBS * STEPS / seconds_unwatched,
                    floor_cpu=floor_cpu / floors.ROWS,
                    steps_cpu=steps_cpu / (JOBS * STEPS),
                    commits=path.commits,
                )
            )
    return rounds[1:]


async def _at_the_cost_of(here: Stage, measured: Awaitable[float]) -> tuple[float, float]:
    """What it answers, and the seconds of CPU that it took."""
    before = here.cpu_seconds()
    return await measured, here.cpu_seconds() - before


async def _unwatched_walk(path: Path) -> float:
    with unwatched():
        return await path.walk(jobs=JOBS, steps=STEPS)


@contextmanager
def unwatched() -> Iterator[None]:
    """Nothing is counted, no trace begun."""
    with (
        patch.object(telemetry, "begin_trace", lambda *_, **__: None),
        patch.object(ValueClass, "inc", lambda *_, **__: None),
    ):
        yield
