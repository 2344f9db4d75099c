"""The database of a service: what is told is told once committed, and the API path sees one organisation only."""

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fenta.chassis import tasks
from fenta.chassis.database import is_passing
from fenta.chassis.testing import told
from fenta.contracts.events import OrgCreated
from fenta.contracts.ids import new_id
from tests.conftest import DatabaseOf


def org_created(org_id: str) -> OrgCreated:
    return OrgCreated(org_id=org_id, slug="ada", owner_user_id=new_id("user"))


async def test_an_event_is_told_with_the_transaction(database_of: DatabaseOf) -> None:
    database = await database_of("gateway")

    async with database.transaction() as session:
        session.publish(org_created("org_1"))

    assert [event.org_id for event in await told(database)] == ["org_1"]


async def test_a_rolled_back_transaction_tells_nothing(database_of: DatabaseOf) -> None:
    database = await database_of("gateway")

    async def fail() -> None:
        async with database.transaction() as session:
            session.publish(org_created("org_1"))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()

    assert await told(database) == []


async def test_the_api_path_sees_one_organisation(database_of: DatabaseOf) -> None:
    database = await database_of("gateway")
    async with database.transaction() as session:
        await tasks.add(session, [tasks.Task(id=f"t{n}", kind="k", org_id=f"org_{n}", lane="high") for n in range(3)])

    async with database.api_transaction("org_1") as session:
        seen = list(await session.scalars(text("SELECT id FROM task")))

    assert seen == ["t1"]


async def test_the_api_path_cannot_write_for_another_organisation(database_of: DatabaseOf) -> None:
    database = await database_of("gateway")

    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.api_transaction("org_1") as session:
            await session.execute(
                text(
                    "INSERT INTO task (id, kind, org_id, lane, priority, vt, payload) "
                    "VALUES ('x', 'k', 'org_2', 'l', 1, 1, '{}')"
                )
            )


async def test_a_connection_that_died_at_rest_is_replaced(
    database_of: DatabaseOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fenta.chassis.database.RESTED_SECONDS", 0.0)
    database = await database_of("gateway")
    mine = text("SELECT pg_backend_pid()")
    async with database.transaction() as first, database.transaction() as second:
        dying, killer = await first.scalar(mine), await second.scalar(mine)
    async with database.transaction() as session:
        ours = await session.scalar(mine)
        other = dying if ours == killer else killer
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": other})

        async with database.transaction() as another:
            replaced = await another.scalar(mine)

    assert replaced not in (dying, killer)


def statement_failed(cause: Exception, *, connection_invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, cause, connection_invalidated=connection_invalidated)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionRefusedError("no server"), True),
        (TimeoutError("no answer"), True),
        (PoolTimeout("no room"), True),
        (asyncpg.exceptions.CannotConnectNowError("starting up"), True),
        (asyncpg.exceptions.TooManyConnectionsError("too many"), True),
        (statement_failed(asyncpg.exceptions.AdminShutdownError("terminating")), True),
        (statement_failed(asyncpg.exceptions.DeadlockDetectedError("deadlock")), True),
        (statement_failed(Exception("gone"), connection_invalidated=True), True),
        (statement_failed(asyncpg.exceptions.UniqueViolationError("twice")), False),
        (statement_failed(asyncpg.exceptions.UndefinedTableError("none")), False),
        (asyncpg.exceptions.InvalidPasswordError("wrong"), False),
        (FileNotFoundError("no file"), False),
        (RuntimeError("a bug"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_trouble_that_passes_is_told_from_trouble_that_stays(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing
