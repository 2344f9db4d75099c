"""`peer_procrastinate.py URL JOBS`: procrastinate drains so many no-op jobs; prints `{"rate": jobs per second}`.

As its pages recommend: psycopg 3 with its pool, jobs deferred in batches, one worker for many asynchronous tasks. The
pool is as large as it comes; with a connection for every task the worker is slower.
"""

import json
import logging
import sys
import time

import uvloop
from procrastinate import App, PsycopgConnector

CONCURRENCY = 16
WARM_UP_JOBS = 50


async def main(url: str, jobs: int) -> None:
    # It warns of applications in a main module, which other processes could not import; there are none.
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="step")
    async def step() -> None:
        pass

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        for count in (WARM_UP_JOBS, jobs):
            await step.batch_defer_async(*({} for _ in range(count)))
            started = time.perf_counter()
            await app.run_worker_async(concurrency=CONCURRENCY, wait=False, install_signal_handlers=False)
            seconds = time.perf_counter() - started
        left = await app.job_manager.list_jobs_async(status="todo")
    if left:
        raise RuntimeError("procrastinate has left something behind")
    print(json.dumps({"rate": jobs / seconds}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
