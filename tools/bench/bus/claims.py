"""T8, T9: what a claim reads after much has been finished, and who is served first when one organisation crowds."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvloop
from sqlalchemy import text

from fenta.chassis import tasks, workers
from fenta.chassis.database import Database, open_database
from fenta.chassis.endings import Endings
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.workers import Workers
from tools.bench.bus.path import LANE
from tools.bench.bus.stage import SERVICE, Stage, stage
from tools.bench.page import result

FINISHED = 60_000
WAITING = 1000
CROWD = 60_000
OTHERS = 300
FIRST = 1000
SLOTS = 100
FAIR_ROUNDS = 5
LOOKS = 9
BATCH = 2000


def run() -> list[dict[str, Any]]:
    with stage() as here:
        buffers = uvloop.run(_buffers(here))
    with stage() as here:
        served, rates = uvloop.run(_fairness(here))
    return [
        result("T8", "buffers per claim after 60k tasks under an old snapshot / before", [buffers], goal="<= 2"),
        result("T9.served", "share of 300 served in the first 1,000 beside a crowd of 60k", served, goal=">= 0.95"),
        result("T9.rate", "tasks per second in fair turns / in the order of their names", rates, goal=">= 0.8"),
    ]


class _Counting:
    """An executor that notes whose tasks it gets, and finishes them."""

    def __init__(self, database: Database, stop_after: int) -> None:
        self._endings = Endings(database)
        self._stop_after = stop_after
        self.organisations: list[str] = []
        self.enough = asyncio.Event()

    async def perform(self, lease: Lease) -> None:
        self.organisations.append(lease.org_id)
        await self._endings.finish(lease)
        if len(self.organisations) >= self._stop_after:
            self.enough.set()

    async def give_up(self, lease: Lease, error: Exception) -> None:
        raise error

    async def cancelled(self, lease: Lease, reason: str) -> None:
        raise AssertionError(reason)


@asynccontextmanager
async def _working(database: Database, executor: _Counting) -> AsyncIterator[Workers]:
    made = Workers(
        database=database, executor=executor, instance_id="0", service=SERVICE, slots={LANE: SLOTS}, on_fatal=print
    )
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _store(database: Database, names: Sequence[tuple[str, str]]) -> None:
    """Tasks by id and organisation, all waiting."""
    for start in range(0, len(names), BATCH):
        async with database.transaction() as session:
            given = [Task(id=name, kind="k", org_id=org, lane=LANE) for name, org in names[start : start + BATCH]]
            await tasks.add(session, given)


async def _buffers(here: Stage) -> float:
    """What a claim reads in the end for each page it read at the start."""
    async with open_database(here.url, service=SERVICE) as database:
        await _store(database, [(f"a{number:06}", "org_1") for number in range(WAITING)])
        first = await _pages(database, {})
        old = await asyncpg.connect(here.url)
        await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM task LIMIT 1")
        await _store(database, [(f"b{number:06}", "org_1") for number in range(FINISHED)])
        executor = _Counting(database, FINISHED)
        async with _working(database, executor) as working:
            await executor.enough.wait()
            lows = dict(working._lows)
        last = await _pages(database, lows)
        await old.close()
    return last / first


async def _pages(database: Database, lows: dict[tuple[str, int], int]) -> float:
    """Pages a claim of ten tasks touches, in the middle of some; nothing is claimed in the end."""
    values = {
        "lane": LANE, "slots": 10, "owner": "bench", "priorities": workers.PRIORITIES,
        "lows": [lows.get((LANE, priority), 0) for priority in workers.PRIORITIES],
    }  # fmt: skip
    statement = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {workers._CLAIM.text}")
    found = []
    for _ in range(LOOKS):
        async with database.engine.connect() as connection:
            plan = (await connection.scalar(statement, values))[0]["Plan"]
            found.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
            await connection.rollback()
    return float(sorted(found)[len(found) // 2])


async def _fairness(here: Stage) -> tuple[list[float], list[float]]:
    """Who is among the first, and how fast that goes beside claims in the order of names."""
    served, rates = [], []
    async with open_database(here.url, service=SERVICE) as database:
        for number in range(FAIR_ROUNDS):
            share, fair = await _served(database, f"f{number}", fair=True)
            _, unfair = await _served(database, f"u{number}", fair=False)
            served.append(share)
            rates.append(fair / unfair)
    return served, rates


async def _served(database: Database, prefix: str, *, fair: bool) -> tuple[float, float]:
    names = [(f"{prefix}a{number:06}", "org_crowd") for number in range(CROWD)]
    names += [(f"{prefix}b{org:04}{number}", f"org_{org}") for org in range(OTHERS) for number in range(3)]
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE task, task_clock, task_mark"))
    await _store(database, names)
    if not fair:
        async with database.transaction() as session:
            await session.execute(text("UPDATE task SET vt = 0"))
    executor = _Counting(database, 5 * FIRST)
    started = time.perf_counter()
    async with _working(database, executor):
        await executor.enough.wait()
        seconds = time.perf_counter() - started
    return len(set(executor.organisations[:FIRST]) - {"org_crowd"}) / OTHERS, len(executor.organisations) / seconds
