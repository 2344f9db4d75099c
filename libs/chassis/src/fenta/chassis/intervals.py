"""What a service does by the clock."""

import asyncio
from collections.abc import Awaitable, Callable

from fenta.chassis.telemetry import log


async def repeat(name: str, work: Callable[[], Awaitable[object]], *, every_seconds: float) -> None:
    """Do this for ever, with this pause in between; what fails is logged, and made up by the next turn."""
    while True:
        try:
            await work()
        except Exception as error:  # the database may be away
            log.warning("job.skipped", job=name, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(every_seconds)
