"""What tests of the chassis share: a broker of their own, a database with a table for notes, and running parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.messages import Message, Route
from fenta.chassis.relay import Relay
from fenta.chassis.workers import Pace, Workers
from fenta.contracts.events import OrgCreated
from fenta.contracts.ids import new_id
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.topics import create_topics
from tests.conftest import AnyBroker, service_url, until
from tests.support.bus import Bus, settings_for
from tests.support.desk import QUICK, Desk
from tests.support.part import NOTES, note, notes
from tests.support.processes import PartProcess
from tests.support.speech import until_all_known


def org_created(slug: str, org_id: str = "org_1") -> OrgCreated:
    return OrgCreated(org_id=org_id, slug=slug, owner_user_id=new_id("user"))


@pytest.fixture
async def bus(own_broker: AnyBroker) -> Bus:
    """A broker that only this test uses, so that groups of the same name do not meet; it may be killed."""
    made = await create_topics(own_broker.servers, partitions_max=3, replication=own_broker.replication)
    await asyncio.to_thread(until_all_known, own_broker.servers, made)
    return Bus(own_broker)


@pytest.fixture
def url(migrated: EmbeddedPostgres, fresh_database: str) -> str:
    """Billing's address in a database of the test's own."""
    return service_url(migrated, fresh_database, "billing")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Billing's database, with a table for notes."""
    async with open_database(url, service="billing") as database:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql(NOTES)
        yield database


Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Run parts beside the test; they end with it, in reverse order."""
    async with AsyncExitStack() as stack:

        def begin(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
            task = asyncio.create_task(work)
            stack.push_async_callback(ended, task)
            return task

        yield begin


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


class Fatal(list[str]):
    """What a part said when it wanted its process to end."""

    def __call__(self, reason: str) -> None:
        self.append(reason)


@pytest.fixture
def fatal() -> Iterator[Fatal]:
    """Nothing fatal happens, unless the test takes it out of here."""
    said = Fatal()
    yield said
    assert said == []


@pytest.fixture
def new_consumer(url: str, bus: Bus, database: Database, fatal: Fatal) -> Callable[..., Consumer]:
    """A consumer of billing for these routes, not yet running."""

    def make(*routes: Route, instance_id: str = "0", service: str = "billing", lossy: bool = False) -> Consumer:
        settings = settings_for(url, bus.broker.servers, instance_id=instance_id)
        return Consumer(
            service=service, database=database, settings=settings, routes=routes, on_fatal=fatal, lossy=lossy
        )

    return make


@pytest.fixture
def consume(new_consumer: Callable[..., Consumer], start: Start) -> Callable[..., Consumer]:
    """Let billing read these routes."""

    def begin(*routes: Route, **options: Any) -> Consumer:
        consumer = new_consumer(*routes, **options)
        start(consumer.run())
        return consumer

    return begin


@pytest.fixture
async def relay(url: str, bus: Bus, database: Database, start: Start) -> Relay:
    """Billing's relay, running."""
    relay = Relay(database=database, settings=settings_for(url, bus.broker.servers), service="billing")
    start(relay.run())
    return relay


@pytest.fixture
def spawn(url: str, bus: Bus, database: Database, tmp_path: Path) -> Iterator[Callable[..., PartProcess]]:
    """Processes of the small service; those that still run are killed at the end."""
    made: list[PartProcess] = []

    def new(instance_id: str = "0") -> PartProcess:
        settings = settings_for(url, bus.broker.servers, instance_id=instance_id)
        made.append(PartProcess(settings, tmp_path / f"part{len(made)}.log"))
        return made[-1]

    yield new
    for process in made:
        if process.running:
            process.end()


@pytest.fixture
def workers(database: Database, fatal: Fatal, start: Start) -> Callable[..., "asyncio.Task[None]"]:
    """Let somebody work on this lane."""

    def begin(desk: Desk, *, slots: int = 1, instance_id: str = "0", pace: Pace = QUICK) -> "asyncio.Task[None]":
        made = Workers(
            database=desk.database, executor=desk, instance_id=instance_id, service="billing",
            slots={"high": slots}, on_fatal=fatal, pace=pace,
        )  # fmt: skip
        return start(made.run())

    return begin


async def handle(session: Session, message: Message[OrgCreated]) -> None:
    await note(session, "handled", message.event.slug)


async def handled(database: Database, count: int) -> list[str]:
    """Once so many are handled: all that are."""

    async def enough() -> list[str] | None:
        found = await notes(database, "handled")
        return found if len(found) >= count else None

    found: list[str] = await until(enough)
    return found
