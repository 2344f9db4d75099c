"""Notifier, ready to be told of events."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from fenta.chassis.database import Database
from tests.notifier.stand import Stand, standing


@pytest.fixture
async def stand(database_of: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Stand]:
    async with standing(await database_of("notifier")) as ready:
        yield ready
