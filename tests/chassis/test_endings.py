"""Tasks that end together: one transaction for those that wait, and the fence still holds for each."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asyncpg.exceptions import UndefinedTableError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Effects, Endings
from fenta.chassis.errors import LeaseLost
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.telemetry import trace
from fenta.contracts.events import BudgetExceeded, OrgCreated
from tests.support.part import note, notes

OWNER = "0/me"


def told(number: int) -> BudgetExceeded:
    return BudgetExceeded(org_id="o", scope="org", unit="u", over=number, limit_micros=0, spent_micros=0)


async def leases(database: Database, count: int) -> list[Lease]:
    """Tasks in the hands of one worker."""
    names = [f"t{number:02}" for number in range(count)]
    async with database.transaction() as session:
        await tasks.add(session, [Task(id=name, kind="k", org_id="o", lane="high") for name in names])
        await session.execute(text("UPDATE task SET state = 1, owner = :owner, attempt = 3"), {"owner": OWNER})
    return [
        Lease(
            id=name, kind="k", org_id="o", lane="high", job_id=None, payload={}, token=3, failures=0, owner=OWNER,
            traceparent=None,
        )
        for name in names
    ]  # fmt: skip


async def values(database: Database, statement: str) -> list[object]:
    async with database.engine.connect() as connection:
        return list((await connection.scalars(text(statement))).all())


def noting(pause: float | None = None) -> Effects:
    """Effects that leave a note and an event of each task."""

    async def effects(session: Session, lease: Lease) -> float | None:
        await note(session, "ended", lease.id)
        session.publish(told(1))
        return pause

    return effects


async def all_of(*ends: Coroutine[Any, Any, None]) -> list[type]:
    """How each of them ended: NoneType where nothing went wrong."""
    return [type(end) for end in await asyncio.gather(*ends, return_exceptions=True)]


OUTBOX = "SELECT event_id FROM outbox_event"


async def test_tasks_that_end_at_once_end_in_few_transactions_with_their_events(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 50)

    await asyncio.gather(*(endings.finish(lease, told(number)) for number, lease in enumerate(held)))

    assert await values(database, "SELECT id FROM task") == []
    assert len(await values(database, OUTBOX)) == 50
    assert len(await values(database, "SELECT DISTINCT xmin::text FROM outbox")) <= 2


async def test_the_end_of_many_goes_by_the_index_though_the_table_was_empty_once(database: Database) -> None:
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM task"))
    async with database.transaction() as session:
        driver = await session.driver()
        await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await driver.execute(f"PREPARE ending AS {tasks._FINISH}")
        plan = "\n".join(row[0] for row in await driver.fetch("EXPLAIN EXECUTE ending ('a', 1, 'o', 1)"))

    assert "Index Cond: (id = ANY" in plan


async def test_effects_are_written_with_the_end_and_answer_how_the_task_goes_on(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 4)

    await asyncio.gather(
        endings.end(held[0], noting()),
        endings.end(held[1], noting(pause=3600)),
        endings.later(held[2], 7200),
        endings.finish(held[3]),
    )

    assert await notes(database, "ended") == ["t00", "t01"]
    assert len(await values(database, OUTBOX)) == 2
    waiting = (
        "SELECT id || ' ' || state || ' ' || round(extract(epoch FROM run_at - now()) / 3600) FROM task ORDER BY id"
    )
    assert await values(database, waiting) == ["t01 2 1", "t02 2 2"]
    assert await values(database, "SELECT owner FROM task") == [None, None]


@pytest.mark.parametrize("end", ["finish", "later", "effects"])
async def test_a_lost_lease_among_them_writes_nothing_and_costs_the_others_nothing(
    database: Database, end: str
) -> None:
    endings = Endings(database)
    held = await leases(database, 4)
    async with database.transaction() as session:
        await session.execute(text("UPDATE task SET attempt = 4 WHERE id = 't01'"))
        await session.execute(text("UPDATE task SET owner = '1/other' WHERE id = 't02'"))
        await session.execute(text("UPDATE task SET state = 0 WHERE id = 't03'"))
    ways = {
        "finish": lambda lease: endings.finish(lease, told(1)),
        "later": lambda lease: endings.later(lease, 60),
        "effects": lambda lease: endings.end(lease, noting()),
    }

    assert await all_of(*map(ways[end], held)) == [type(None), LeaseLost, LeaseLost, LeaseLost]

    assert await values(database, "SELECT id FROM task WHERE run_at IS NULL ORDER BY id") == ["t01", "t02", "t03"]
    assert await notes(database, "ended") == (["t00"] if end == "effects" else [])
    assert len(await values(database, OUTBOX)) == (0 if end == "later" else 1)


async def test_effects_that_fail_fail_their_own_task_only(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 3)

    async def fail(session: Session, lease: Lease) -> None:
        await noting()(session, lease)
        await session.execute(text("SELECT 1 / 0"))

    ends = await all_of(endings.end(held[0], noting()), endings.end(held[1], fail), endings.finish(held[2], told(3)))

    assert ends == [type(None), DBAPIError, type(None)]
    assert await values(database, "SELECT id FROM task") == ["t01"]
    assert await notes(database, "ended") == ["t00"]
    assert len(await values(database, OUTBOX)) == 2


async def test_processes_that_lock_the_same_in_one_order_do_not_wait_for_each_other(database: Database) -> None:
    """Each group meets both locks; in the order of their arrival they would stand across."""
    async with database.transaction() as session:
        await note(session, "lock", "a")
        await note(session, "lock", "b")

    def locking(subject: str) -> Effects:
        async def effects(session: Session, lease: Lease) -> None:
            await session.execute(text("SELECT 1 FROM note WHERE subject = :s FOR UPDATE"), {"s": subject})
            await asyncio.sleep(0.1)

        return effects

    here, there = Endings(database), Endings(database)
    held = await leases(database, 4)
    started = time.monotonic()
    await asyncio.gather(
        here.end(held[0], locking("a"), order="a"),
        here.end(held[1], locking("b"), order="b"),
        there.end(held[2], locking("b"), order="b"),
        there.end(held[3], locking("a"), order="a"),
    )

    # Postgres looks for a deadlock after one second.
    assert time.monotonic() - started < 1.0


async def test_who_no_longer_waits_is_left_out(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 2)
    stopped = asyncio.create_task(endings.end(held[0], noting()))
    going = asyncio.create_task(endings.end(held[1], noting()))
    asyncio.get_running_loop().call_soon(stopped.cancel)

    await asyncio.wait({stopped, going})

    assert await notes(database, "ended") == ["t01"]
    assert await values(database, "SELECT id FROM task") == ["t00"]


async def test_each_event_keeps_its_own_trace(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 3)

    async def within(digit: str, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with trace(f"00-{digit * 32}-{'b' * 16}-01"):
            await end()

    async def because(session: Session, lease: Lease) -> None:
        session.publish(told(3), causation_id="cause")

    await asyncio.gather(
        within("1", lambda: endings.finish(held[0], told(1))),
        within("2", lambda: endings.end(held[1], noting())),
        within("3", lambda: endings.end(held[2], because)),
    )

    traces = await values(database, "SELECT substr(headers->>'traceparent', 4, 32) FROM outbox_event ORDER BY 1")
    assert traces == ["1" * 32, "2" * 32, "3" * 32]
    causes = await values(
        database, "SELECT headers->>'ce_causationid' FROM outbox_event WHERE headers->>'ce_causationid' IS NOT NULL"
    )
    assert causes == ["cause"]


async def test_what_a_service_may_not_tell_ends_nothing(database: Database) -> None:
    (lease,) = await leases(database, 1)

    with pytest.raises(ValueError, match="must not publish"):
        await Endings(database).finish(lease, OrgCreated(org_id="o", slug="s", owner_user_id="u"))

    assert await values(database, "SELECT id FROM task") == ["t00"]


async def test_when_the_outbox_refuses_nothing_of_them_is_written(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 2)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))

    ends = await all_of(*(endings.end(lease, noting()) for lease in held))

    assert ends == [UndefinedTableError, UndefinedTableError]
    assert await notes(database, "ended") == []
    assert len(await values(database, "SELECT id FROM task")) == 2


async def test_while_the_database_is_away_all_hear_of_it_at_once(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 3)
    tries: list[str] = []

    async def lose_the_connection(session: Session, lease: Lease) -> None:
        tries.append(lease.id)
        raise ConnectionRefusedError

    ends = await all_of(*(endings.end(lease, lose_the_connection) for lease in held))

    assert ends == [ConnectionRefusedError] * 3
    assert tries == ["t00"]
