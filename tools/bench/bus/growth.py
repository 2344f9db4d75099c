"""The same path in one, two and three processes: what each of them does, and how fast all are together."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

import uvloop

from tools.bench.bus import floors
from tools.bench.bus.path import Path, open_path
from tools.bench.bus.stage import Stage, stage
from tools.bench.page import result

ROUNDS = 7
JOBS = 2000
STEPS = 5
WARM_UPS = 2
PARTITIONS = 6


class Round(NamedTuple):
    """Steps per second, beside the floor, and each replica's share of them."""

    steps: float
    floor: float
    shares: list[float]


def run() -> list[dict[str, Any]]:
    lines = []
    for count, least in ((2, 0.3), (3, 0.15)):
        with stage(partitions=PARTITIONS) as here:
            rounds = uvloop.run(_rounds(here, count))
        ratios, smallest = [one.steps / one.floor for one in rounds], [min(one.shares) for one in rounds]
        lines += [
            result(f"bus.steps.{count}", f"steps per second, {count} replicas", [one.steps for one in rounds]),
            result(f"bus.ratio.{count}", f"steps / INSERTs, {count} replicas", ratios, goal=">= 0.8"),
            result(f"bus.share.{count}", f"smallest share of {count} replicas", smallest, goal=f">= {least}"),
        ]
    return lines


async def _rounds(here: Stage, count: int) -> list[Round]:
    """The first rounds let the group settle, and do not count."""
    rounds = []
    async with open_path(here) as path, AsyncExitStack() as others:
        counts = [await others.enter_async_context(_replica(here, str(number), path)) for number in range(1, count)]
        for _ in range(WARM_UPS + ROUNDS):
            floor = await floors.inserts(here.url)
            before = [path.ended, *(other[-1] for other in counts)]
            seconds = await path.walk(jobs=JOBS, steps=STEPS)
            after = [path.ended, *(other[-1] for other in counts)]
            total = after[0] - before[0]
            theirs = [now - then for now, then in zip(after[1:], before[1:], strict=True)]
            shares = [part / total for part in (total - sum(theirs), *theirs)]
            rounds.append(Round(JOBS * STEPS / seconds, floor, shares))
    return rounds[WARM_UPS:]


@asynccontextmanager
async def _replica(here: Stage, instance_id: str, path: Path) -> AsyncIterator[list[int]]:
    """Another process; what it has ended is counted here too. Yields its reports, the newest last."""
    arguments = ("-m", "tools.bench.bus.replica", json.dumps(asdict(here)), instance_id, str(STEPS))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    reports = [0]
    listening = asyncio.create_task(_listen(process, reports, path))
    try:
        yield reports
    finally:
        process.terminate()
        await process.wait()
        listening.cancel()


async def _listen(process: asyncio.subprocess.Process, reports: list[int], path: Path) -> None:
    """What is no number is a line of its log."""
    while process.stdout and (line := await process.stdout.readline()):
        if line.strip().isdigit():
            path.count(int(line) - reports[-1])
            reports.append(int(line))
