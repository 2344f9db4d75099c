"""A stack of its own for tests that kill."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from fenta.embedded.supervisor import Stack
from tests.e2e.conftest import QUICK
from tests.support.crash import armed
from tests.support.people import Person
from tests.support.receiver import Receiver


@pytest.fixture(scope="package")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests arm the places at which a process of `faulty` dies."""
    return tmp_path_factory.mktemp("crashes")


@pytest.fixture(scope="package")
def faulty(tmp_path_factory: pytest.TempPathFactory, crashes: Path) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("faulty"), settings=QUICK | armed(crashes)) as running:
        yield running


@pytest.fixture
async def person(faulty: Stack) -> AsyncIterator[Person]:
    async with httpx.AsyncClient(base_url=faulty.url, timeout=30, trust_env=False) as http:
        yield await Person.register(http)


@pytest.fixture
async def receiver(person: Person) -> AsyncIterator[Receiver]:
    async with Receiver.listening() as listening:
        answer = await person.post("/webhooks", {"url": listening.url, "events": ["*"]})
        assert answer.status_code == 201, answer.text
        yield listening
