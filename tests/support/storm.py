"""Blows at random over a running stack: which, when and how long follows from a seed alone."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import Stack
from tests.support.crash import armed

RELAY_GAPS = ("relay.read", "relay.sent", "relay.forgotten")
PARTS = ("postgres", "broker", "objectstore")
PAUSE_SECONDS = (0.5, 4.5)
AWAY_SECONDS = (2.0, 8.0)
# From so many kills on, each service stands still once; before, only one of them does.
MANY_KILLS = 30


@dataclass(frozen=True)
class Blow:
    """`kind` is kill, relay (a death in the relay), stop (of a part), or freeze; the next one follows after `pause`."""

    kind: str
    target: str
    pause_seconds: float
    lasts_seconds: float = 0.0


def blows(seed: int, kills: int, *, frozen_seconds: float) -> list[Blow]:
    """So many deaths of services and relays in random order, and beside them each part stopped for every ten."""
    chance = random.Random(seed)
    targets = [("kill", service) for service in SERVICES] + [("relay", chance.choice(SERVICES))]
    chosen = [targets[number % len(targets)] for number in range(kills)]
    chosen += [("stop", part) for part in PARTS for _ in range(max(1, kills // 10))]
    standing = list(SERVICES) if kills >= MANY_KILLS else [chance.choice(SERVICES)]
    chosen += [("freeze", service) for service in standing]
    chance.shuffle(chosen)
    return [_blow(chance, kind, target, frozen_seconds) for kind, target in chosen]


def _blow(chance: random.Random, kind: str, target: str, frozen_seconds: float) -> Blow:
    lasts = {"freeze": frozen_seconds, "stop": chance.uniform(*AWAY_SECONDS) if target == "objectstore" else 0.0}
    target = chance.choice(SERVICES) if kind == "relay" else target
    return Blow(kind, target, chance.uniform(*PAUSE_SECONDS), lasts.get(kind, 0.0))


class Storm:
    """Strikes one blow after the other without waiting for anything to recover, so that their effects overlap."""

    def __init__(self, stack: Stack, crashes: Path) -> None:
        self._stack = stack
        self._crashes = crashes
        self.struck: Counter[str] = Counter()

    async def rage(self, planned: Sequence[Blow]) -> None:
        async with asyncio.TaskGroup() as group:
            for blow in planned:
                group.create_task(self._strike(blow))
                await asyncio.sleep(blow.pause_seconds)
        self._disarm()

    async def _strike(self, blow: Blow) -> None:
        self.struck[f"{blow.kind} {blow.target}"] += 1
        match blow.kind:
            case "kill":
                await asyncio.to_thread(self._stack.kill, blow.target)
            case "relay":
                armed(self._crashes / blow.target, RELAY_GAPS[self.struck.total() % len(RELAY_GAPS)])
            case "freeze":
                await self._freeze(blow)
            case _:
                await self._stop(blow)

    async def _freeze(self, blow: Blow) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, KeyError):
            process = psutil.Process(self._stack.pids()[blow.target])
            process.suspend()
            try:
                await asyncio.sleep(blow.lasts_seconds)
            finally:
                process.resume()

    async def _stop(self, blow: Blow) -> None:
        if blow.target == "postgres":
            # As `pg_ctl stop -m immediate` does it: no checkpoint, recovery at the next start.
            with contextlib.suppress(psutil.NoSuchProcess, KeyError):
                psutil.Process(self._stack.pids()["postgres"]).send_signal(signal.SIGQUIT)
        elif blow.lasts_seconds:
            await asyncio.to_thread(self._stack.kill, blow.target, stay_down=True)
            await asyncio.sleep(blow.lasts_seconds)
            await asyncio.to_thread(self._stack.restart, blow.target)
        else:
            await asyncio.to_thread(self._stack.kill, blow.target)

    def _disarm(self) -> None:
        for service in SERVICES:
            for gap in RELAY_GAPS:
                (self._crashes / service / gap).unlink(missing_ok=True)
