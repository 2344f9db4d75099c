"""The database of a service: what is told is told once committed, and the API path sees one organisation only."""

import asyncio
import contextlib

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fenta.chassis import tasks
from fenta.chassis.database import SERVER_SETTINGS, Database, Session, is_passing, open_database
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


@pytest.mark.parametrize("question", ["SELECT heads FROM outbox", "SELECT value FROM outbox_event"])
async def test_the_api_path_tells_events_and_reads_none(database_of: DatabaseOf, question: str) -> None:
    database = await database_of("gateway")
    async with database.api_transaction("org_1") as session:
        session.publish(org_created("org_1"))

    assert [event.slug for event in await told(database)] == ["ada"]
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.api_transaction("org_1") as session:
            await session.execute(text(question))


MINE = text("SELECT pg_backend_pid()")
# What `open_database` lets a service have, and more than that for a moment.
MOST_CONNECTIONS = 10


async def take_all(database: Database) -> list[int]:
    """The backends of as many transactions at once as there may be. Raises PoolTimeout where one was not given back."""
    together = asyncio.Barrier(MOST_CONNECTIONS)

    async def work() -> int:
        async with database.transaction() as session:
            driver = await session.driver()
            await together.wait()
            return int(await driver.fetchval(str(MINE)))

    return await asyncio.gather(*(work() for _ in range(MOST_CONNECTIONS)))


async def backend(database: Database) -> int:
    async with database.transaction() as session:
        return int(await session.scalar(MINE) or 0)


async def test_one_after_the_other_has_the_same_connection(database_of: DatabaseOf) -> None:
    database = await database_of("gateway")
    assert len(set(await take_all(database))) == MOST_CONNECTIONS

    used = [await backend(database) for _ in range(3)]

    assert len(set(used)) == 1
    async with database.transaction() as session, database.transaction() as another:
        assert await session.scalar(MINE) == used[0] != await another.scalar(MINE)


@pytest.mark.parametrize("rested_seconds", [0.0, 60.0])
async def test_the_connection_used_last_is_replaced_when_it_dies(
    database_of: DatabaseOf, monkeypatch: pytest.MonkeyPatch, rested_seconds: float
) -> None:
    monkeypatch.setattr("fenta.chassis.connections.RESTED_SECONDS", rested_seconds)
    database = await database_of("gateway")
    async with database.transaction() as killer:
        killing, dying = await killer.scalar(MINE), await backend(database)
        assert killing != dying
        await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": dying})
        # The driver hears of it.
        await asyncio.sleep(0.1)

        replaced = await backend(database)

    assert replaced != dying
    assert dying not in await take_all(database)


async def test_a_transaction_that_outlives_the_database_commits_and_disconnects(noted: Database) -> None:
    async with noted.transaction() as session:
        driver = await session.driver()
        await driver.execute(NOTE, "by", "a")
        await noted.close()

    assert driver.is_closed()
    assert await written(noted) == ["a"]


async def test_who_takes_the_engine_itself_has_its_transactions(noted: Database) -> None:
    await take_all(noted)
    async with noted.engine.connect() as connection:
        await connection.execute(text("INSERT INTO note (what, subject) VALUES ('by', 'a')"))
        await connection.rollback()

    assert await written(noted) == []


async def test_a_connection_that_died_at_rest_is_replaced(
    database_of: DatabaseOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fenta.chassis.connections.RESTED_SECONDS", 0.0)
    database = await database_of("gateway")
    async with database.transaction() as first, database.transaction() as second:
        dying, killer = await first.scalar(MINE), await second.scalar(MINE)
    async with database.transaction() as session:
        ours = await session.scalar(MINE)
        other = dying if ours == killer else killer
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": other})

        async with database.transaction() as another:
            replaced = await another.scalar(MINE)

    assert replaced not in (dying, killer)


NOTE = "INSERT INTO note (what, subject) VALUES ($1, $2)"


@pytest.fixture
async def noted(database_of: DatabaseOf) -> Database:
    """A database with a table to write into."""
    database = await database_of("billing")
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE note (what text NOT NULL, subject text PRIMARY KEY)"))
    return database


async def written(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.scalars(text("SELECT subject FROM note ORDER BY subject")))


async def write(session: Session, *, driver: str, sqlalchemy: str) -> None:
    connection = await session.driver()
    await connection.execute(NOTE, "by", driver)
    await session.execute(text("INSERT INTO note (what, subject) VALUES ('by', :subject)"), {"subject": sqlalchemy})


async def test_statements_of_the_driver_and_of_sqlalchemy_are_one_transaction(noted: Database) -> None:
    async def fail() -> None:
        async with noted.transaction() as session:
            await write(session, driver="a", sqlalchemy="b")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()
    assert await written(noted) == []

    async with noted.transaction() as session:
        await write(session, driver="a", sqlalchemy="b")
        async with noted.transaction() as another:
            assert list(await another.scalars(text("SELECT subject FROM note"))) == []
    assert await written(noted) == ["a", "b"]


class Base(DeclarativeBase):
    """Of this module alone."""


class Row(Base):
    __tablename__ = "note"
    subject: Mapped[str] = mapped_column(primary_key=True)
    what: Mapped[str]


async def test_what_sqlalchemy_has_not_written_yet_comes_before_a_statement_of_the_driver(noted: Database) -> None:
    async with noted.transaction() as session:
        session.add(Row(subject="first", what="object"))
        driver = await session.driver()
        assert await driver.fetchval("SELECT count(*) FROM note") == 1

    async with noted.transaction() as session:
        session.add(Row(subject="second", what="object, and nothing else"))
    assert await written(noted) == ["first", "second"]


async def test_a_transaction_whose_statement_failed_does_not_pass_for_committed(noted: Database) -> None:
    async def swallow() -> None:
        async with noted.transaction() as session:
            await write(session, driver="a", sqlalchemy="b")
            driver = await session.driver()
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await driver.execute(NOTE, "again", "a")

    with pytest.raises(RuntimeError, match="nothing of it was committed"):
        await swallow()

    assert await written(noted) == []


@pytest.mark.parametrize("joined", [False, True])
async def test_a_cancelled_transaction_leaves_nothing_and_its_connection_behind(noted: Database, joined: bool) -> None:
    asleep = asyncio.Event()

    async def work() -> None:
        async with noted.transaction() as session:
            await write(session, driver="a", sqlalchemy="b")
            asleep.set()
            if joined:
                await session.execute(text("SELECT pg_sleep(60)"))
            driver = await session.driver()
            await driver.execute("SELECT pg_sleep(60)")

    working = asyncio.create_task(work())
    await asleep.wait()
    await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.wait({working}, timeout=10)

    assert working.cancelled()
    assert await written(noted) == []
    await take_all(noted)


async def test_a_connection_lost_in_a_transaction_is_passing_and_the_next_one_works(noted: Database) -> None:
    async def lose() -> None:
        async with noted.transaction() as session, noted.transaction() as killer:
            await write(session, driver="a", sqlalchemy="b")
            driver = await session.driver()
            pid = await driver.fetchval("SELECT pg_backend_pid()")
            await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            await driver.execute(NOTE, "by", "c")

    with pytest.raises(Exception) as lost:  # noqa: PT011  whichever of the driver's errors it is
        await lose()

    assert is_passing(lost.value)
    assert await written(noted) == []


async def test_who_stands_still_amid_a_transaction_loses_its_locks(
    noted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    milliseconds = int(SERVER_SETTINGS["idle_in_transaction_session_timeout"])
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", str(milliseconds // 200))
    url = noted.engine.url.render_as_string(hide_password=False)

    async def stand_still() -> None:
        async with open_database(url, service="billing") as other, other.transaction() as session:
            await write(session, driver="a", sqlalchemy="b")
            driver = await session.driver()
            await driver.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
            assert await written(noted) == []
            await driver.execute(NOTE, "by", "c")

    with pytest.raises(Exception) as lost:  # noqa: PT011  whichever of the driver's errors it is
        await stand_still()

    assert is_passing(lost.value)
    assert await written(noted) == []


async def test_a_transaction_that_cannot_be_taken_back_costs_its_connection(noted: Database) -> None:
    left: list[asyncio.Task[str]] = []

    async def leave_a_statement_behind() -> None:
        async with noted.transaction() as session:
            await write(session, driver="a", sqlalchemy="b")
            driver = await session.driver()
            left.append(asyncio.create_task(driver.execute("SELECT pg_sleep(60)")))
            await asyncio.sleep(0.05)
            raise RuntimeError("on purpose")

    with pytest.raises(asyncpg.InterfaceError, match="another operation"):
        await leave_a_statement_behind()

    await asyncio.wait(left)
    assert left[0].exception() is not None
    assert await written(noted) == []
    await take_all(noted)


async def test_more_transactions_than_the_pool_keeps_give_all_connections_back(noted: Database) -> None:
    together = asyncio.Barrier(8)

    async def work(number: int) -> None:
        async with noted.transaction() as session:
            driver = await session.driver()
            await driver.execute(NOTE, "by", str(number))
            await together.wait()

    await asyncio.gather(*(work(number) for number in range(8)))

    assert await written(noted) == [str(number) for number in range(8)]
    await take_all(noted)


def statement_failed(cause: Exception, *, connection_invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, cause, connection_invalidated=connection_invalidated)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionRefusedError("no server"), True),
        (TimeoutError("no answer"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("another operation is in progress"), False),
        (PoolTimeout("no room"), True),
        (asyncpg.exceptions.CannotConnectNowError("starting up"), True),
        (asyncpg.exceptions.TooManyConnectionsError("too many"), True),
        (statement_failed(asyncpg.exceptions.AdminShutdownError("terminating")), True),
        (statement_failed(asyncpg.exceptions.DeadlockDetectedError("deadlock")), True),
        (asyncpg.exceptions.IdleInTransactionSessionTimeoutError("silent"), True),
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
