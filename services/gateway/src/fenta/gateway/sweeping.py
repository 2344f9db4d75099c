"""Forgets what is over: old idempotency keys, windows, sign-ins and channels."""

from fenta.chassis.database import Database
from fenta.chassis.intervals import repeat
from fenta.gateway.repository import sweeping

PAUSE_SECONDS = 3600.0


async def sweep_for_ever(database: Database) -> None:
    """Every hour."""

    async def sweep() -> None:
        async with database.transaction() as session:
            await sweeping.sweep(session)

    await repeat("sweep", sweep, every_seconds=PAUSE_SECONDS)
