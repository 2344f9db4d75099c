"""What billing does by the clock."""

import asyncio
from collections.abc import Awaitable, Callable

from fenta.billing.service import BillingService
from fenta.chassis.telemetry import log

MEASURE_SECONDS = 15.0


async def release_due_holds(billing: BillingService, *, every_seconds: float) -> None:
    """Close the holds nobody will close any more."""
    await _repeat("release_due_holds", billing.release_due, every_seconds)


async def measure(billing: BillingService) -> None:
    """Keep the gauges current."""
    await _repeat("measure", billing.measure, MEASURE_SECONDS)


async def _repeat(name: str, work: Callable[[], Awaitable[object]], every_seconds: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # the database may be away; the next round tries again
            log.warning("job.skipped", job=name, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(every_seconds)
