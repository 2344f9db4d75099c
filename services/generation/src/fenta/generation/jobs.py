"""What happens by the clock."""

import asyncio

from fenta.chassis.database import Database
from fenta.chassis.telemetry import log
from fenta.generation import metrics, repository

MEASURE_SECONDS = 15.0


async def measure(database: Database) -> None:
    """Keep the gauges true."""
    while True:
        try:
            async with database.transaction() as session:
                counts = await repository.count_open(session)
            metrics.open_provider_tasks.clear()
            for (provider, state), count in counts.items():
                metrics.open_provider_tasks.labels(provider, state).set(count)
        except Exception as error:  # a gauge must not end the service
            log.warning("gauges.failed", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(MEASURE_SECONDS)
