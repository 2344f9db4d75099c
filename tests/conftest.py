"""What all tests share: no way out of this machine, one Postgres, one broker, a fresh database for each test."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

# Its plugin would import it when a run ends: what the garbage collector runs amid that, Python 3.11 may not survive.
import hypothesis  # noqa: F401
import pytest
import structlog

from fenta.chassis.database import Database, open_database
from fenta.contracts.topics import SERVICES
from fenta.embedded.migrate import migrate_all
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.supervisor import Stack
from tests.support.broker import BrokerProcess
from tests.support.kafka import RealKafka, nodes_asked, skip_without_java
from tests.support.stack import OpenStack, StackOnKafka

PASSWORD = "only-for-tests"
_numbers = itertools.count()


WHOLE_STACKS = ("e2e", "faults")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders that share a whole stack come last, one after the other, so that no stack idles beside other tests."""
    folders = [Path(__file__).with_name(name) for name in WHOLE_STACKS]
    items.sort(key=lambda item: [folder in item.path.parents for folder in folders])


# Drawing a traceback with the values of all variables, as structlog does by default, takes seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def no_way_out() -> Iterator[None]:
    """Sockets to anywhere but this machine are refused."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "::1")):
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for all tests; it may forget a power cut, so that tests are quick."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=("fsync=off", "max_connections=300"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same server; its database `postgres` holds all schemas and is copied for each test."""
    migrate_all(postgres.url, passwords=dict.fromkeys(SERVICES, PASSWORD))
    return postgres


@pytest.fixture
async def fresh_database(migrated: EmbeddedPostgres) -> AsyncIterator[str]:
    """The name of an empty database with all schemas."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(migrated.url.rsplit("/", 1)[0] + "/template1")
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE postgres")
    yield name
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


DatabaseOf = Callable[[str], Awaitable[Database]]


@pytest.fixture
async def database_of(migrated: EmbeddedPostgres, fresh_database: str) -> AsyncIterator[DatabaseOf]:
    """`await database_of("billing")` is that service's database, connected as its own role."""
    async with AsyncExitStack() as stack:

        async def open_one(service: str) -> Database:
            url = service_url(migrated, fresh_database, service)
            return await stack.enter_async_context(open_database(url, service=service))

        yield open_one


def service_url(server: EmbeddedPostgres, database: str, service: str) -> str:
    return f"postgresql://fenta_{service}:{PASSWORD}@127.0.0.1:{server.port}/{database}"


AnyBroker = BrokerProcess | RealKafka


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Apache Kafka of one node, or of as many as FENTA_TEST_KAFKA says; skips where Java or Maven is missing."""
    skip_without_java()
    cluster = RealKafka(tmp_path_factory.mktemp("kafka"), nodes_asked() or 1)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyBroker]:
    """One Kafka-protocol broker for all tests that need no fault of it."""
    if nodes_asked():
        yield request.getfixturevalue("real_kafka")
        return
    process = BrokerProcess(tmp_path_factory.mktemp("broker"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyBroker]:
    """A broker without topics and groups, that only this test uses; it may be killed."""
    if nodes_asked():
        cluster = request.getfixturevalue("real_kafka")
        cluster.start()
        yield cluster
        cluster.wipe()
        return
    process = BrokerProcess(tmp_path / "broker")
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def open_stack(request: pytest.FixtureRequest) -> OpenStack:
    """Makes a whole stack, on a real Kafka where that was asked for: only KAFKA_BOOTSTRAP_SERVERS differs."""
    if nodes_asked():
        return partial(StackOnKafka, kafka=request.getfixturevalue("real_kafka"), gateway_port=0)
    # On any port, so that a stack that somebody runs beside the tests does not matter.
    return partial(Stack, gateway_port=0)


async def until(condition: Callable[[], Awaitable[Any]], *, seconds: float = 30) -> Any:
    """Wait for a condition to become true, by looking again; the deadline only bounds a broken test."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (result := await condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("the condition did not come true")
        await asyncio.sleep(0.02)
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
