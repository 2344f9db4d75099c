"""What notifier does by the clock."""

from fenta.chassis.intervals import repeat
from fenta.notifier.service import NotifierService

MEASURE_SECONDS = 15.0
FORGET_SECONDS = 600.0


async def measure(notifier: NotifierService) -> None:
    """Keep the gauges current."""
    await repeat("measure", notifier.measure, every_seconds=MEASURE_SECONDS)


async def forget_old_events(notifier: NotifierService) -> None:
    """Let go of what nobody will ask for."""
    await repeat("forget_old_events", notifier.forget_old, every_seconds=FORGET_SECONDS)
