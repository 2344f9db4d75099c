"""What workflow does by the clock."""

from fenta.chassis.intervals import repeat
from fenta.workflow.hearing import Hearing
from fenta.workflow.service import WorkflowService

WAKE_SECONDS = 1.0
LISTEN_SECONDS = 5.0
MEASURE_SECONDS = 15.0


async def wake(service: WorkflowService) -> None:
    """Wake the jobs whose time has come."""

    async def wake_all() -> None:
        while await service.wake_due():
            pass

    await repeat("wake", wake_all, every_seconds=WAKE_SECONDS)


async def listen(hearing: Hearing) -> None:
    """Notice when Kafka is away."""
    await repeat("listen", hearing.listen, every_seconds=LISTEN_SECONDS)


async def measure(service: WorkflowService) -> None:
    """Keep the gauges current."""
    await repeat("measure", service.measure, every_seconds=MEASURE_SECONDS)
