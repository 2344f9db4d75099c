"""One whole stack for all end-to-end tests: six services, Postgres, broker and object store, as processes."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from fenta.embedded.supervisor import Stack
from tests.support.people import Person
from tests.support.receiver import Receiver
from tests.support.stack import OpenStack

QUICK = {
    "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    "SIGN_INS_PER_MINUTE": "100000",
    "PASSWORD_MEMORY_KIB": "64",
    "PASSWORD_ROUNDS": "1",
    "DELIVERY_SCHEDULE_SECONDS": "0,0.3,0.3,0.5,1,1,2",
    "DEFAULT_PLAN": "enterprise",
}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, open_stack: OpenStack) -> Iterator[Stack]:
    with open_stack(tmp_path_factory.mktemp("stack"), settings=QUICK) as running:
        yield running


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=30, trust_env=False) as http:
        yield http


@pytest.fixture
async def person(client: httpx.AsyncClient) -> Person:
    return await Person.register(client)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.listening() as listening:
        yield listening
