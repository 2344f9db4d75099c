"""What generation does by the clock."""

from fenta.chassis.database import Database
from fenta.chassis.intervals import repeat
from fenta.generation import metrics, repository

MEASURE_SECONDS = 15.0


async def measure(database: Database) -> None:
    """Keep the gauges current."""

    async def count() -> None:
        async with database.transaction() as session:
            counts = await repository.count_open(session)
        metrics.open_provider_tasks.clear()
        for (provider, state), open_tasks in counts.items():
            metrics.open_provider_tasks.labels(provider, state).set(open_tasks)

    await repeat("measure", count, every_seconds=MEASURE_SECONDS)
