"""A small service whose process, broker or Postgres is taken away: events count once, tasks are done once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.messages import Message, on
from fenta.contracts.events import OrgCreated
from fenta.embedded.migrate import migrate_all
from fenta.embedded.postgres import EmbeddedPostgres
from tests.chassis.conftest import Fatal, Start, org_created
from tests.conftest import PASSWORD, service_url, until
from tests.support.bus import Bus, sent, settings_for
from tests.support.crash import armed
from tests.support.part import NOTES, note, notes
from tests.support.processes import PartProcess

Spawn = Callable[..., PartProcess]


async def noted(database: Database, what: str, count: int) -> list[str]:
    async def enough() -> list[str] | None:
        found = await notes(database, what)
        return found if len(found) >= count else None

    found: list[str] = await until(enough)
    return found


async def test_killed_between_commit_and_ack_it_hands_the_event_to_the_inbox(
    bus: Bus, database: Database, spawn: Spawn, tmp_path: Path
) -> None:
    part = spawn()
    part.launch(**armed(tmp_path / "crash", "consumer.committed"))
    await bus.send(sent(org_created("once")))
    assert await part.died() == -signal.SIGKILL
    assert await notes(database, "handled") == ["once"]

    part.launch()
    await bus.send(sent(org_created("after")))

    assert await noted(database, "finished", 2) == ["once", "after"]
    assert await notes(database, "handled") == ["once", "after"]


async def test_killed_with_a_task_in_hand_it_takes_it_up_at_once_when_it_returns(
    bus: Bus, database: Database, spawn: Spawn
) -> None:
    part = spawn()
    part.launch(PART_HANGS="1")
    await bus.send(sent(org_created("greeting")))
    await noted(database, "began", 1)
    part.end(signal.SIGKILL)
    async with database.engine.connect() as connection:
        lease = await connection.scalar(text("SELECT lease_until > now() FROM worker WHERE instance_id = '0'"))
    assert lease, "the lease still runs"

    part.launch()

    assert await noted(database, "finished", 1) == ["greeting"]
    assert await notes(database, "began") == ["greeting", "greeting"]


async def test_told_to_stop_it_gives_its_tasks_back(bus: Bus, database: Database, spawn: Spawn) -> None:
    part, other = spawn(), spawn("1")
    part.launch(PART_HANGS="1")
    await bus.send(sent(org_created("greeting")))
    await noted(database, "began", 1)

    assert part.end(signal.SIGTERM) == 0

    other.launch()
    assert await noted(database, "finished", 1) == ["greeting"]


async def test_told_to_stop_in_the_middle_of_a_batch_it_finishes_and_acknowledges_it(
    bus: Bus, database: Database, spawn: Spawn
) -> None:
    part = spawn()
    part.launch()
    await part.ready()
    async with database.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE note IN EXCLUSIVE MODE"))
        await bus.send(sent(org_created("last")))
        await until(lambda: waits_for_a_lock(connection))

        ending = asyncio.create_task(asyncio.to_thread(part.end, signal.SIGTERM))
        await until(lambda: is_silent(part))
        assert await bus.acknowledged("billing") == 0

    assert await ending == 0
    assert await notes(database, "handled") == ["last"]
    assert await bus.acknowledged("billing") == 1


async def waits_for_a_lock(connection: AsyncConnection) -> bool:
    return bool(await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


async def is_silent(part: PartProcess) -> bool:
    """It has heard that it is to stop: it takes no requests any more."""
    return not await part.health()


async def test_without_kafka_it_is_degraded_and_goes_on_when_kafka_returns(
    bus: Bus, database: Database, spawn: Spawn
) -> None:
    part = spawn()
    part.launch()
    await part.ready()
    bus.broker.kill()

    async def degraded() -> bool:
        return (await part.health()).get("kafka") == "degraded"

    await until(degraded)
    await asyncio.to_thread(bus.broker.start)
    await bus.send(sent(org_created("after")))

    assert await noted(database, "finished", 1) == ["after"]
    await part.ready()


async def test_a_second_process_of_the_same_instance_ends_the_first(bus: Bus, database: Database, spawn: Spawn) -> None:
    first, second = spawn(), spawn()
    first.launch()
    await first.ready()

    second.launch()

    assert await first.died() == 1
    assert "another process" in first.log()
    await second.ready()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", settings=("fsync=off",))
    server.start()
    migrate_all(server.url, {"billing": PASSWORD}, services=("billing",))
    yield server
    if server.alive():
        server.stop()


async def test_postgres_going_away_delays_and_loses_nothing(
    own_postgres: EmbeddedPostgres, bus: Bus, start: Start, fatal: Fatal
) -> None:
    async def handle(session: Session, message: Message[OrgCreated]) -> None:
        await note(session, "handled", message.event.slug)

    url = service_url(own_postgres, "postgres", "billing")
    async with open_database(url, service="billing") as database:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql(NOTES)
        settings = settings_for(url, bus.broker.servers)
        routes = [on(OrgCreated, handle)]
        consumer = Consumer(service="billing", database=database, settings=settings, routes=routes, on_fatal=fatal)
        running = start(consumer.run())
        await bus.send(sent(org_created("before")))
        await noted(database, "handled", 1)

        await asyncio.to_thread(own_postgres.stop)
        await bus.send(*(sent(org_created(f"n{number}")) for number in range(10)))
        await asyncio.to_thread(own_postgres.start)

        assert await noted(database, "handled", 11) == ["before", *(f"n{number}" for number in range(10))]
        async with database.engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM dead_letter")) == 0
        running.cancel()
        await asyncio.wait({running})
