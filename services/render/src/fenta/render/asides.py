"""Small writes that nobody waits for, such as how far a film is: losing one is no harm."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fenta.chassis.telemetry import log


class Asides:
    """Runs them beside everything else."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:
        log.info("aside.failed", error=f"{type(error).__name__}: {error}")
