"""What notifier does by the clock."""

import asyncio
from collections.abc import Awaitable, Callable

from fenta.chassis.telemetry import log
from fenta.notifier.service import NotifierService

MEASURE_SECONDS = 15.0
FORGET_SECONDS = 600.0


async def measure(notifier: NotifierService) -> None:
    """Keep the gauges current."""
    await _repeat("measure", notifier.measure, MEASURE_SECONDS)


async def forget_old_events(notifier: NotifierService) -> None:
    """Let go of what nobody will ask for."""
    await _repeat("forget_old_events", notifier.forget_old, FORGET_SECONDS)


async def _repeat(name: str, work: Callable[[], Awaitable[object]], every_seconds: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # the database may be away; the next round tries again
            log.warning("job.skipped", job=name, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(every_seconds)
