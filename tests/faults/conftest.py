"""A stack of its own for tests that kill."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from fenta.embedded.supervisor import Stack
from tests.e2e.conftest import QUICK
from tests.support.gaps import dying
from tests.support.people import Person
from tests.support.receiver import Receiver
from tests.support.stack import OpenStack

# `make test-faults` tries everything; `make test` a part of it, so that it stays quick.
ALL_FAULTS = os.environ.get("ALL_FAULTS") == "1"


@pytest.fixture(scope="package")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests arm the gaps in which a process of `faulty` dies, in a folder for each service."""
    return tmp_path_factory.mktemp("crashes")


@pytest.fixture(scope="package")
def faulty(tmp_path_factory: pytest.TempPathFactory, crashes: Path, open_stack: OpenStack) -> Iterator[Stack]:
    settings = QUICK | {"RELEASE_INTERVAL_SECONDS": "0.5"}
    with open_stack(tmp_path_factory.mktemp("faulty"), settings=settings, command=dying(crashes)) as running:
        yield running


@pytest.fixture
async def client(faulty: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=faulty.url, timeout=30, trust_env=False) as http:
        yield http


@pytest.fixture
async def person(client: httpx.AsyncClient) -> Person:
    return await Person.register(client)


@pytest.fixture
async def receiver(person: Person) -> AsyncIterator[Receiver]:
    async with Receiver.listening() as listening:
        answer = await person.post("/webhooks", {"url": listening.url, "events": ["*"]})
        assert answer.status_code == 201, answer.text
        yield listening
