"""Tasks finished together: one transaction for those that wait, and the fence still holds for each."""

import asyncio

import pytest
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database
from fenta.chassis.endings import Endings
from fenta.chassis.errors import LeaseLost
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.telemetry import trace
from fenta.contracts.events import BudgetExceeded, OrgCreated

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


async def test_tasks_that_end_at_once_end_in_few_transactions_with_their_events(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 50)

    await asyncio.gather(*(endings.finish(lease, told(number)) for number, lease in enumerate(held)))

    assert await values(database, "SELECT id FROM task") == []
    assert len(await values(database, "SELECT event_id FROM outbox")) == 50
    assert len(await values(database, "SELECT DISTINCT xmin::text FROM outbox")) <= 2


async def test_a_lost_lease_among_them_tells_nothing_and_costs_the_others_nothing(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 3)
    async with database.transaction() as session:
        await session.execute(text("UPDATE task SET attempt = 4 WHERE id = 't01'"))
        await session.execute(text("UPDATE task SET owner = '1/other' WHERE id = 't02'"))

    ends = await asyncio.gather(
        *(endings.finish(lease, told(number)) for number, lease in enumerate(held)), return_exceptions=True
    )

    assert [type(end) for end in ends] == [type(None), LeaseLost, LeaseLost]
    assert await values(database, "SELECT id FROM task ORDER BY id") == ["t01", "t02"]
    assert len(await values(database, "SELECT event_id FROM outbox")) == 1


async def test_each_event_keeps_its_own_trace(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 2)

    async def finish(lease: Lease, digit: str) -> None:
        with trace(f"00-{digit * 32}-{'b' * 16}-01"):
            await endings.finish(lease, told(1))

    await asyncio.gather(finish(held[0], "1"), finish(held[1], "2"))

    traces = await values(database, "SELECT substr(headers->>'traceparent', 4, 32) FROM outbox ORDER BY 1")
    assert traces == ["1" * 32, "2" * 32]


async def test_what_a_service_may_not_tell_ends_nothing(database: Database) -> None:
    (lease,) = await leases(database, 1)

    with pytest.raises(ValueError, match="must not publish"):
        await Endings(database).finish(lease, OrgCreated(org_id="o", slug="s", owner_user_id="u"))

    assert await values(database, "SELECT id FROM task") == ["t00"]


async def test_when_the_database_refuses_all_of_them_hear_of_it(database: Database) -> None:
    endings = Endings(database)
    held = await leases(database, 2)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))

    ends = await asyncio.gather(*(endings.finish(lease, told(1)) for lease in held), return_exceptions=True)

    assert all(isinstance(end, Exception) for end in ends)
    assert len(await values(database, "SELECT id FROM task")) == 2
