"""A provider house, and generation with a real database, for these tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fenta.chassis.database import Database
from fenta.generation.providers.local import LocalHouse
from fenta.generation.providers.workshop import Workshop
from tests.conftest import DatabaseOf


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    async with Workshop(helpers=1) as workshop:
        yield workshop


@pytest.fixture
async def house(tmp_path: Path, workshop: Workshop) -> AsyncIterator[LocalHouse]:
    async with LocalHouse(tmp_path / "engines", workshop) as house:
        yield house


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("generation")
