"""Forgets what is over: old idempotency keys, windows, sign-ins and channels."""

import asyncio

from fenta.chassis.database import Database
from fenta.chassis.telemetry import log
from fenta.gateway.repository import sweeping

PAUSE_SECONDS = 3600.0


async def sweep_for_ever(database: Database) -> None:
    """Every hour; a failed sweep is made up by the next."""
    while True:
        try:
            async with database.transaction() as session:
                await sweeping.sweep(session)
        except Exception as error:
            log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(PAUSE_SECONDS)
