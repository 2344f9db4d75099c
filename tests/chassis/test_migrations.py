"""The second step of the chassis' tables meets letters that were stored before it, and can be taken back."""

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text

from fenta.chassis.database import Database
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.migrations import extend_dead_letters, restore_dead_letters

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
