"""What the service does by the clock."""

import asyncio

from fenta.chassis.telemetry import log
from fenta.workflow.service import WorkflowService

WAKE_SECONDS = 1.0
MEASURE_EVERY = 15


async def watch(service: WorkflowService) -> None:
    """Wake the jobs whose time has come, every second; count them every quarter of a minute."""
    turn = 0
    while True:
        try:
            while await service.wake_due():
                pass
            if turn % MEASURE_EVERY == 0:
                await service.measure()
        except Exception as error:
            log.warning("watch.failed", error=f"{type(error).__name__}: {error}")
        turn += 1
        await asyncio.sleep(WAKE_SECONDS)
