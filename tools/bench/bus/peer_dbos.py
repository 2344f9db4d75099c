"""`peer_dbos.py URL JOBS`: DBOS runs so many workflows of five no-op steps; prints `{"rate": steps per second}`.

As its pages recommend: asynchronous workflows and steps, with the pool as it comes. They are called directly, 16 at a
time; through a queue of its own it is slower, and synchronous ones in threads are no faster.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop
from dbos import DBOS

CONCURRENCY = 16
STEPS = 5
WARM_UP_JOBS = 16


@DBOS.step()
async def step() -> None:
    pass


@DBOS.workflow()
async def job() -> None:
    for _ in range(STEPS):
        await step()


async def main(url: str, jobs: int) -> None:
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "WARNING"})
    DBOS.launch()
    await run(WARM_UP_JOBS)
    print(json.dumps({"rate": jobs * STEPS / await run(jobs)}))
    DBOS.destroy()


async def run(jobs: int) -> float:
    """Seconds until all have ended."""
    waiting = iter(range(jobs))
    started = time.perf_counter()
    await asyncio.gather(*(one_after_the_other(waiting) for _ in range(CONCURRENCY)))
    return time.perf_counter() - started


async def one_after_the_other(waiting: Iterator[int]) -> None:
    for _ in waiting:
        await job()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
