"""T1, T2, T3, T11: steps through the whole path beside one INSERT and COMMIT for each, on a fast and on a slow disk.

Once without metrics and traces, and once with them, as every service runs.
"""

from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
WATCHED = "metrics and traces on"


class Walk(NamedTuple):
    """Steps per second, and the seconds of CPU for one; of INSERTs too."""

    rate: float
    cpu: float


class Beside(NamedTuple):
    """A walk in terms of the INSERTs of its round."""

    speed: float
    cost: float


class Round(NamedTuple):
    floor: Walk
    walk: Walk
    watched_walk: Walk
    commits: list[int]

    @property
    def plain(self) -> Beside:
        return self._beside(self.walk)

    @property
    def watched(self) -> Beside:
        return self._beside(self.watched_walk)

    def _beside(self, walk: Walk) -> Beside:
        return Beside(walk.rate / self.floor.rate, walk.cpu / self.floor.cpu)


def run() -> list[dict[str, Any]]:
    with stage() as here:
        rounds = uvloop.run(measured(here, ROUNDS))
    with stage(slow_disk=True) as there:
        slow = uvloop.run(measured(there, ROUNDS_ON_SLOW_DISK))
    return [
        result("bus.floor", "INSERT and COMMIT per second, 16 connections", [one.floor.rate for one in rounds]),
        result("bus.steps", "steps per second, one process, whole path", [one.walk.rate for one in rounds]),
        result("T1", "steps / INSERTs", [one.plain.speed for one in rounds], goal=">= 0.9"),
        result("T1.watched", f"steps / INSERTs, {WATCHED}", [one.watched.speed for one in rounds], goal=">= 0.8"),
        result("T2", "T1 with 2 ms more per fsync", [one.plain.speed for one in slow], goal=">= 2.5"),
        result("T2.watched", f"the same, {WATCHED}", [one.watched.speed for one in slow]),
        result("T3", "CPU of a step / of an INSERT", [one.plain.cost for one in rounds], goal="<= 1"),
        result("T3.watched", f"the same, {WATCHED}", [one.watched.cost for one in rounds]),
        result("T11", "events per commit, median", [events_per_commit(rounds)], goal=">= 50"),
    ]  # fmt: skip


def events_per_commit(rounds: Sequence[Round]) -> int:
    """The median over all of them."""
    commits = sorted(size for one in rounds for size in one.commits)
    return commits[len(commits) // 2]


async def measured(here: Stage, count: int) -> list[Round]:
    """All in turn, watched first in every other round; the first round warms up and does not count."""
    async with open_path(here) as path:
        rounds = []
        for number in range(count + 1):
            rate, cpu = await _at_the_cost_of(here, floors.inserts(here.url))
            path.commits = []
            walks: dict[bool, Walk] = {}
            for watched in (True, False) if number % 2 else (False, True):
                walks[watched] = await _walk(here, path, watched=watched)
            floor = Walk(rate, cpu / floors.ROWS)
            rounds.append(Round(floor, walks[False], walks[True], path.commits))
    return rounds[1:]


async def _walk(here: Stage, path: Path, *, watched: bool) -> Walk:
    with nullcontext() if watched else unwatched():
        seconds, cpu = await _at_the_cost_of(here, path.walk(jobs=JOBS, steps=STEPS))
    return Walk(JOBS * STEPS / seconds, cpu / (JOBS * STEPS))


async def _at_the_cost_of(here: Stage, measured: Awaitable[float]) -> tuple[float, float]:
    """What it answers, and the seconds of CPU that it took."""
    before = here.cpu_seconds()
    return await measured, here.cpu_seconds() - before


@contextmanager
def unwatched() -> Iterator[None]:
    """Nothing is counted, no trace begun."""
    with (
        patch.object(telemetry, "begin_trace", lambda *_, **__: None),
        patch.object(ValueClass, "inc", lambda *_, **__: None),
    ):
        yield
