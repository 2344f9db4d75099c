"""`peer_pgqueuer.py URL JOBS`: pgqueuer drains so many no-op jobs; prints `{"rate": jobs per second}`.

As its pages recommend: installed durably with its vacuum settings, jobs enqueued in batches, asyncpg, a connection of
its own for the worker. A pool is no faster here.
"""

import json
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

BATCH = 100
ENQUEUED_AT_ONCE = 1000
WARM_UP_JOBS = 1000


async def main(url: str, jobs: int) -> None:
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    if not await queries.schema_is_installed():
        await queries.install()
        await queries.optimize_autovacuum()
    await drain(url, queries, WARM_UP_JOBS)
    print(json.dumps({"rate": jobs / await drain(url, queries, jobs)}))
    await connection.close()


async def drain(url: str, queries: Queries, jobs: int) -> float:
    """Seconds from the first job's handler until the end of every job is stored."""
    for _ in range(0, jobs, ENQUEUED_AT_ONCE):
        await queries.enqueue(["step"] * ENQUEUED_AT_ONCE, [b"{}"] * ENQUEUED_AT_ONCE, [0] * ENQUEUED_AT_ONCE)
    connection = await asyncpg.connect(url)
    worker = PgQueuer(AsyncpgDriver(connection))
    times: list[float] = []

    @worker.entrypoint("step")
    async def step(_: Job) -> None:
        times.append(time.perf_counter())
        if len(times) == jobs:
            worker.shutdown.set()

    await worker.run(batch_size=BATCH)
    ended = time.perf_counter()
    await connection.close()
    if await queries.queue_size():
        raise RuntimeError("pgqueuer has left something behind")
    return ended - times[0]


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
