"""The later steps of the chassis' tables keep what was stored before them, and can be taken back."""

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text

from fenta.chassis.database import Database
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.migrations import bundle_outbox, extend_dead_letters, restore_dead_letters, unbundle_outbox
from fenta.chassis.outbox import OutboxRow
from fenta.contracts.ids import uuid7_text

OLD = (
    "INSERT INTO dead_letter (id, topic, partition, kafka_offset, reason, error, attempts, headers) "
    "VALUES (gen_random_uuid(), 'org.created', 0, 1, 'bad_value', 'No.', 1, '{}')"
)
COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'dead_letter' AND table_schema = 'billing'"
)


def operations(connection: Connection) -> Operations:
    return Operations(MigrationContext.configure(connection))


async def test_letters_from_before_are_listed_with_what_they_have(database: Database) -> None:
    added = {"stack", "note", "dropped_at"}
    async with database.engine.begin() as connection:
        now = set(await connection.scalars(text(COLUMNS)))
        await connection.run_sync(lambda sync: restore_dead_letters(operations(sync)))
        assert set(await connection.scalars(text(COLUMNS))) == now - added
        await connection.execute(text(OLD))
        await connection.run_sync(lambda sync: extend_dead_letters(operations(sync)))
        assert set(await connection.scalars(text(COLUMNS))) == now

    async with database.transaction() as session:
        (letter,) = await DeadLetters("billing").list(session)
        whole = await DeadLetters("billing").get(session, str(letter["id"]))
    assert (whole["stack"], whole["note"], whole["dropped_at"]) == ("", None, None)


UNTOLD = [OutboxRow(uuid7_text(), "billing.dlq", key, value, {"n": "1"}) for key, value in (("a", b"\xff"), ("", b""))]
LATER = OutboxRow(uuid7_text(), "billing.dlq", "b", b"{}", {"n": "2"})
BEFORE = "SELECT CAST(event_id AS text), topic, key, value, headers FROM outbox ORDER BY id"
AFTER = "SELECT CAST(event_id AS text), topic, key, value, headers FROM outbox_event"


async def test_events_that_wait_are_told_whichever_way_the_outbox_keeps_them(database: Database) -> None:
    async with database.transaction() as session:
        session.events += UNTOLD
    async with database.transaction() as session:
        session.events.append(LATER)

    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: unbundle_outbox(operations(sync), service="billing"))
        apart = [OutboxRow(*row) for row in await connection.execute(text(BEFORE))]
        taken = (await connection.execute(text("SELECT ids, event_ids FROM outbox_take(10)"))).one()
        await connection.run_sync(lambda sync: bundle_outbox(operations(sync), service="billing"))
        together = [OutboxRow(*row) for row in await connection.execute(text(AFTER))]
        counts = (await connection.scalars(text("SELECT count FROM outbox"))).all()

    assert apart == together == [*UNTOLD, LATER]
    assert taken.event_ids == [row.event_id for row in apart]
    assert counts == [1, 1, 1]
