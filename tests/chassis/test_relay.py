"""The relay: events reach Kafka in order per key, at least once, and wait in the outbox while Kafka is away."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy import text

from fenta.chassis.backlog import Backlog
from fenta.chassis.database import DATABASE_ERRORS, Database, is_passing, open_database
from fenta.chassis.errors import PermanentError
from fenta.chassis.outbox import OutboxRow, outbox_row
from fenta.chassis.relay import LOSSY_EVENTS, Relay
from fenta.chassis.testing import told
from fenta.contracts.events import BudgetExceeded, JobProgressed, OrgCreated
from fenta.contracts.ids import uuid7
from tests.chassis.conftest import Start, org_created
from tests.conftest import until
from tests.support.bus import Bus, settings_for
from tests.support.crash import armed
from tests.support.processes import PartProcess


def exceeded(org_id: str, number: int) -> BudgetExceeded:
    return BudgetExceeded(
        org_id=org_id, scope="org", unit="kai_credits", over=number, limit_micros=0, spent_micros=0
    )  # fmt: skip


async def publish(database: Database, *events: BudgetExceeded) -> None:
    async with database.transaction() as session:
        for event in events:
            session.publish(event)


async def outbox_rows(database: Database) -> int:
    async with database.engine.connect() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM outbox")) or 0)


async def empty(database: Database) -> bool:
    return await outbox_rows(database) == 0


async def kept(database: Database) -> list[list[OutboxRow]]:
    """The rows of the outbox, each with its events, as the relay reads them."""
    backlog = Backlog(database.engine)
    try:
        contents = await backlog.contents(await backlog.take(1000) or ())
    finally:
        await backlog.close()
    return [list(contents[row]) for row in sorted(contents)]


@pytest.fixture(params=[0, 50])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows as a few are sent, and as many."""
    monkeypatch.setattr("fenta.chassis.relay.FEW_EVENTS", request.param)


@pytest.mark.usefixtures("either_way")
async def test_events_of_one_key_arrive_in_the_order_they_were_told(bus: Bus, database: Database, relay: Relay) -> None:
    for number in range(20):
        await publish(database, *(exceeded(f"org_{key}", number) for key in range(5)))

    records = await bus.read("budget.exceeded", 100)

    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(BudgetExceeded.model_validate_json(record.value or b"").over)
    assert set(map(tuple, by_key.values())) == {tuple(range(20))}
    assert len(by_key) == 5
    await until(lambda: empty(database))


async def test_more_than_a_batch_holds_keeps_its_order_and_the_partition_of_its_key(
    bus: Bus, database: Database, relay: Relay
) -> None:
    sizes = (10, 60_000, 60_000, 60_000, 300_000, 10)
    events = [exceeded("org_1", number).model_copy(update={"unit": "u" * size}) for number, size in enumerate(sizes)]
    await publish(database, *events)

    records = await bus.read("budget.exceeded", len(sizes))

    assert [BudgetExceeded.model_validate_json(record.value or b"").over for record in records] == list(range(6))
    assert {record.partition for record in records} == {DefaultPartitioner()(b"org_1", range(3), ())}


async def test_a_record_carries_what_cloudevents_asks_for(bus: Bus, database: Database, relay: Relay) -> None:
    await publish(database, exceeded("org_7", 1))

    (record,) = await bus.read("budget.exceeded", 1)

    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == "budget.exceeded.v1"
    assert headers["ce_source"] == "fenta/billing"
    assert headers["ce_orgid"] == "org_7"
    assert headers["content-type"] == "application/json"
    assert record.key == b"org_7"


@pytest.mark.usefixtures("either_way")
async def test_rows_wait_while_kafka_is_away_and_are_sent_when_it_returns(
    url: str, bus: Bus, database: Database, start: Start
) -> None:
    relay = Relay(database=database, settings=settings_for(url, bus.broker.servers), service="billing")
    start(relay.run())
    await publish(database, exceeded("org_1", 0))
    await until(lambda: empty(database))
    bus.broker.kill()

    await publish(database, *(exceeded("org_1", number) for number in range(1, 50)))
    assert not await relay.reaches_kafka()
    assert (await relay.state())[0] == 49
    await asyncio.to_thread(bus.broker.start)

    records = await bus.read("budget.exceeded", 50)
    numbers = [BudgetExceeded.model_validate_json(record.value or b"").over for record in records]
    assert numbers == list(range(50))
    await until(lambda: empty(database))
    assert await relay.reaches_kafka()


async def test_killed_between_send_and_delete_it_sends_twice_under_one_id(
    bus: Bus, database: Database, spawn: Callable[..., PartProcess], tmp_path: Path
) -> None:
    await publish(database, exceeded("org_1", 1))
    part = spawn()
    part.launch(**armed(tmp_path / "crash", "relay.sent"))
    assert await part.died() == -signal.SIGKILL
    assert await outbox_rows(database) == 1

    part.launch()

    first, second = await bus.read("budget.exceeded", 2)
    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]
    await until(lambda: empty(database))


@pytest.mark.usefixtures("either_way")
async def test_two_relays_of_one_service_send_each_event_once(
    url: str, bus: Bus, database: Database, start: Start
) -> None:
    async with open_database(url, service="billing") as other:
        for each in (database, other):
            settings = settings_for(url, bus.broker.servers)
            relay = Relay(database=each, settings=settings, service="billing")
            running = start(relay.run())
        for number in range(30):
            await publish(database if number % 2 else other, exceeded("org_1", number))
        await until(lambda: empty(database))
        running.cancel()
        await asyncio.wait({running})

    records = await bus.read("budget.exceeded", 30)
    numbers = [BudgetExceeded.model_validate_json(record.value or b"").over for record in records]
    assert numbers == list(range(30))
    assert await bus.ends("budget.exceeded") == 30


async def test_rows_that_were_sent_are_swept_up(
    database: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fenta.chassis.backlog.SWEEP_EVENTS", 10)
    swept = text("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'outbox' AND schemaname = 'billing'")

    async def count() -> int:
        async with database.engine.connect() as connection:
            return int(await connection.scalar(swept) or 0)

    before = await count()
    await publish(database, *(exceeded("org_1", number) for number in range(9)))
    await until(lambda: empty(database))
    assert await count() == before
    await publish(database, exceeded("org_1", 9))

    async def once_more() -> bool:
        return await count() == before + 1

    await until(once_more)


async def test_a_batch_ends_with_the_row_that_fills_it(database: Database) -> None:
    for count in (3, 4, 1, 2):
        await publish(database, *(exceeded("org_1", number) for number in range(count)))
    backlog = Backlog(database.engine)
    try:
        first = await backlog.take(2) or {}
        second = await backlog.read_on(5, sending=first)
    finally:
        await backlog.close()

    assert list(first.values()) == [3]
    assert list(second.values()) == [4, 1]


async def test_one_has_the_backlog_until_it_lets_go(database: Database) -> None:
    await publish(database, exceeded("org_1", 1))
    one, other = Backlog(database.engine), Backlog(database.engine)
    try:
        assert len(await one.take(10) or ()) == 1
        assert await other.take(10) is None
        await one.let_go()
        assert len(await other.take(10) or ()) == 1
    finally:
        await one.close()
        await other.close()


async def test_who_has_the_backlog_and_stands_still_loses_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database, exceeded("org_1", 1))
    silent, other = Backlog(database.engine), Backlog(database.engine)

    async def taken_over() -> bool:
        return await other.take(10) is not None

    try:
        with monkeypatch.context() as soon:
            soon.setattr("fenta.chassis.backlog.SILENT_SECONDS", 0.3)
            mine = await silent.take(10) or {}
        await until(taken_over)
        with pytest.raises(DATABASE_ERRORS) as lost:
            await silent.read_on(10, sent=mine)
    finally:
        await silent.close()
        await other.close()

    assert is_passing(lost.value)
    assert await outbox_rows(database) == 1


@pytest.mark.parametrize("value", [b"", b"\xff", b"a\x1fb", b"a\0b", b"{}"])
async def test_an_event_is_kept_as_it_is_whatever_is_in_it(database: Database, value: bytes) -> None:
    row = OutboxRow(str(uuid7()), "billing.dlq", "", value, {"reason": "bad_value"})
    both = [row, row._replace(event_id=str(uuid7()), key="org_1", value=b"{}")]
    async with database.transaction() as session:
        session.events += both

    assert await kept(database) == [both]
    shown = text("SELECT CAST(event_id AS text), topic, key, value, headers FROM outbox_event")
    async with database.engine.connect() as connection:
        assert [OutboxRow(*found) for found in await connection.execute(shown)] == both


async def test_what_is_too_much_for_one_row_lies_in_several_in_its_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fenta.chassis.outbox.BUNDLE_EVENTS", 4)
    monkeypatch.setattr("fenta.chassis.outbox.BUNDLE_BYTES", 1000)
    small = [OutboxRow(str(uuid7()), "billing.dlq", "", b"x", {}) for _ in range(9)]
    large = [OutboxRow(str(uuid7()), "billing.dlq", "", b"x" * 600, {}) for _ in range(2)]
    async with database.transaction() as session:
        session.events += [*small, *large]

    rows = await kept(database)

    assert [event for row in rows for event in row] == [*small, *large]
    assert max(len(row) for row in rows) <= 4
    assert not any(event in row for row in rows for event in large if len(row) == len(large))


def progressed(number: int) -> JobProgressed:
    return JobProgressed.model_validate(
        {"org_id": "o", "job_id": "j", "status": "running", "phase": "RUNNING", "progress": number, "spent": {}}
    )


async def test_of_live_numbers_the_oldest_are_dropped_while_kafka_is_away(
    url: str, bus: Bus, database: Database, start: Start
) -> None:
    bus.broker.stop()
    relay = Relay(database=database, settings=settings_for(url, bus.broker.servers), service="workflow")
    start(relay.run())
    for number in range(LOSSY_EVENTS + 10):
        relay.publish_lossy(progressed(0 if number < 10 else 1 + number % 100))
    await asyncio.to_thread(bus.broker.start)

    records = await bus.read("job.progressed", LOSSY_EVENTS)

    assert await bus.ends("job.progressed") == LOSSY_EVENTS
    assert all(JobProgressed.model_validate_json(record.value or b"").progress for record in records)


async def test_a_lossy_event_needs_no_transaction_and_a_lasting_one_does(database: Database) -> None:
    relay = Relay(database=database, settings=settings_for("postgresql://u@h/d", "h:1"), service="billing")
    with pytest.raises(ValueError, match="must not be lost"):
        relay.publish_lossy(exceeded("org_1", 1))


def test_a_service_cannot_publish_what_belongs_to_another() -> None:
    with pytest.raises(ValueError, match=r"billing must not publish org\.created"):
        outbox_row(org_created("ada"), source="billing")


def test_an_event_too_large_for_kafka_is_refused_before_it_blocks_the_outbox() -> None:
    with pytest.raises(PermanentError, match="too large"):
        outbox_row(OrgCreated(org_id="o", slug="x" * 1_000_000, owner_user_id="u"), source="gateway")


async def test_what_was_told_can_be_read_by_tests(database: Database) -> None:
    await publish(database, exceeded("org_1", 5))

    assert [event.over for event in await told(database, "budget.exceeded")] == [5]
