"""What billing does by the clock."""

from fenta.billing.service import BillingService
from fenta.chassis.intervals import repeat

MEASURE_SECONDS = 15.0


async def release_due_holds(billing: BillingService, *, every_seconds: float) -> None:
    """Close the holds nobody will close any more."""
    await repeat("release_due_holds", billing.release_due, every_seconds=every_seconds)


async def measure(billing: BillingService) -> None:
    """Keep the gauges current."""
    await repeat("measure", billing.measure, every_seconds=MEASURE_SECONDS)
