"""The workers of a service while a block runs, around an executor that a test has put together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fenta.chassis.database import Database
from fenta.chassis.workers import Executor, Workers


@asynccontextmanager
async def working(
    database: Database, executor: Executor, *, service: str, slots: Mapping[str, int], instance_id: str = "0"
) -> AsyncIterator[Workers]:
    """They take tasks as the service's own would; nothing may have been fatal to them."""
    fatal: list[str] = []
    workers = Workers(
        database=database,
        executor=executor,
        instance_id=instance_id,
        service=service,
        slots=slots,
        on_fatal=fatal.append,
    )
    running = asyncio.create_task(workers.run())
    try:
        yield workers
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert fatal == []
