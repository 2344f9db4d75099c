"""What is done by the clock goes on after it has failed."""

import asyncio
import logging

import pytest

from fenta.chassis.intervals import repeat


async def test_a_turn_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    turns, enough = 0, asyncio.Event()

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise ConnectionError("the database is away")
        enough.set()

    with caplog.at_level(logging.CRITICAL):
        running = asyncio.create_task(repeat("work", work, every_seconds=0.001))
        async with asyncio.timeout(5):
            await enough.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert turns >= 2
