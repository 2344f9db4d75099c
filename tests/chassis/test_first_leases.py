"""Tasks that find a free slot are leased as they are stored; all others wait for their turn."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.telemetry import traceparent
from fenta.chassis.workers import Pace, Workers
from tests.chassis.conftest import Fatal, Start, ended
from tests.conftest import until
from tests.support.desk import QUICK, Desk
from tests.support.part import note

CALM = Pace(beat_seconds=60, reclaim_seconds=60, measure_seconds=60)
Begin = Callable[..., Workers]


@pytest.fixture
def begin(database: Database, fatal: Fatal, start: Start) -> Begin:
    """Workers of one lane, running."""

    def make(desk: Desk, *, slots: int = 1, pace: Pace = CALM) -> Workers:
        workers = Workers(
            database=database, executor=desk, instance_id="0", service="billing", slots={"high": slots},
            on_fatal=fatal, pace=pace,
        )  # fmt: skip
        workers.running = start(workers.run())  # type: ignore[attr-defined]
        return workers

    return make


def task(name: str, org_id: str = "org_1", **other: Any) -> Task:
    return Task(id=name, kind="k", org_id=org_id, lane="high", **other)


async def looked(database: Database, workers: Workers) -> None:
    """They have looked for work once, and found none."""

    async def there() -> bool:
        async with database.engine.connect() as connection:
            return await connection.scalar(text("SELECT count(*) FROM worker")) == 1 and not workers._crowded["high"]

    await until(there)


async def add(database: Database, workers: Workers, *given: Task) -> None:
    async with database.transaction() as session:
        await workers.add(session, given)


async def rows(database: Database) -> list[tuple[str, int, int]]:
    async with database.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text("SELECT id, state, attempt FROM task ORDER BY id"))]


class Hanging(Desk):
    """Its tasks end when the test says so."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, self._hang)
        self.leases: list[Lease] = []
        self.go = asyncio.Event()

    async def _hang(self, lease: Lease) -> None:
        self.leases.append(lease)
        await self.go.wait()
        await self.end(lease, "done")


async def held(desk: Hanging, count: int) -> list[Lease]:
    async def enough() -> bool:
        return len(desk.leases) >= count

    await until(enough)
    return desk.leases


async def test_a_task_that_finds_a_slot_is_stored_with_its_lease(database: Database, begin: Begin) -> None:
    desk = Hanging(database)
    workers = begin(desk)
    await looked(database, workers)

    async with database.transaction() as session:
        await workers.add(session, [task("t", job_id="job_1", payload={"pair": (1, 2)})])
        first = (await session.execute(text("SELECT state, attempt, owner FROM task"))).one()
        assert desk.leases == []

    (lease,) = await held(desk, 1)
    assert tuple(first) == (1, 1, workers.owner)
    assert (lease.id, lease.token, lease.failures, lease.job_id, lease.owner) == ("t", 1, 0, "job_1", workers.owner)
    assert lease.payload == {"pair": [1, 2]}
    desk.go.set()


async def test_what_does_not_fit_waits_and_the_turn_is_the_lanes(database: Database, begin: Begin) -> None:
    desk = Hanging(database)
    workers = begin(desk)
    await looked(database, workers)
    await add(database, workers, task("crowd1", "org_crowd"))
    await held(desk, 1)

    await add(database, workers, *(task(f"crowd{number}", "org_crowd") for number in range(2, 5)))
    await add(database, workers, task("few", "org_few"))
    desk.go.set()

    assert [lease.id for lease in await held(desk, 5)] == ["crowd1", "crowd2", "few", "crowd3", "crowd4"]


async def test_a_transaction_that_fails_gives_its_slots_back(database: Database, begin: Begin) -> None:
    desk = Hanging(database)
    workers = begin(desk, slots=2)
    await looked(database, workers)

    async def fail(session: Session) -> None:
        await workers.add(session, [task("lost1"), task("lost2")])
        raise ValueError("something else went wrong")

    for _ in range(3):
        with pytest.raises(ValueError, match="something else"):
            await within(database, fail)
    await add(database, workers, task("kept1"), task("kept2"))

    assert {lease.id for lease in await held(desk, 2)} == {"kept1", "kept2"}
    assert await rows(database) == [("kept1", 1, 1), ("kept2", 1, 1)]
    desk.go.set()


async def within(database: Database, write: Callable[[Session], Any]) -> None:
    async with database.transaction() as session:
        await write(session)


async def test_a_slot_that_a_claim_looks_for_is_not_promised(database: Database, begin: Begin) -> None:
    desk = Hanging(database)
    workers = begin(desk)
    await looked(database, workers)

    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE task IN EXCLUSIVE MODE"))
        await tasks.add(session, [task("claimed")])
        workers.wake()
        await blocked(database, 1)
        adding = asyncio.create_task(add(database, workers, task("next")))
        await blocked(database, 2)
    await adding

    assert [lease.id for lease in await held(desk, 1)] == ["claimed"]
    assert await rows(database) == [("claimed", 1, 1), ("next", 0, 0)]
    desk.go.set()
    assert [lease.id for lease in await held(desk, 2)] == ["claimed", "next"]


async def test_a_look_for_tasks_that_finds_nothing_leaves_a_slot_for_what_comes(
    database: Database, begin: Begin
) -> None:
    desk = Hanging(database)
    workers = begin(desk, slots=2)
    await looked(database, workers)

    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE task IN EXCLUSIVE MODE"))
        workers.wake()
        await blocked(database, 1)
        adding = asyncio.create_task(add(database, workers, task("comes")))
        await blocked(database, 2)
    await adding

    await held(desk, 1)
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT leased_at = created_at FROM task"))
    desk.go.set()


async def blocked(database: Database, count: int) -> None:
    """So many wait for the lock on the table."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'task'::regclass")

    async def so_many() -> bool:
        async with database.engine.connect() as connection:
            return await connection.scalar(waiting) == count

    await until(so_many)


async def test_a_task_added_twice_begins_once_and_takes_one_slot(database: Database, begin: Begin) -> None:
    desk = Hanging(database)
    workers = begin(desk, slots=3)
    await looked(database, workers)

    await add(database, workers, task("t"), task("t"))
    await add(database, workers, task("t"))
    await add(database, workers, task("u"), task("v"))

    assert sorted(lease.id for lease in await held(desk, 3)) == ["t", "u", "v"]
    desk.go.set()


async def test_nobody_starts_behind_those_who_never_waited(database: Database, begin: Begin) -> None:
    desk = Desk(database)
    workers = begin(desk, slots=10)
    await looked(database, workers)
    for number in range(5):
        await add(database, workers, task(f"a{number}", "org_a"))

    await add(database, workers, task("b", "org_b"))
    await ended(workers.running)  # type: ignore[attr-defined]

    async with database.engine.connect() as connection:
        clocks = dict(tuple(row) for row in await connection.execute(text("SELECT org_id, vt FROM task_clock")))
        mark = await connection.scalar(text("SELECT vt FROM task_mark"))
    assert clocks == {"org_a": 5000, "org_b": 6000}
    assert mark == 6000


async def test_workers_that_are_not_there_lease_nothing(database: Database, fatal: Fatal) -> None:
    workers = Workers(
        database=database, executor=Desk(database), instance_id="0", service="billing", slots={"high": 1},
        on_fatal=fatal, pace=QUICK,
    )  # fmt: skip

    await add(database, workers, task("t"))

    assert await rows(database) == [("t", 0, 0)]


async def test_what_commits_after_they_have_left_begins_elsewhere(database: Database, begin: Begin) -> None:
    leaving, staying = Hanging(database), Desk(database)
    workers = begin(leaving)
    await looked(database, workers)

    async with database.transaction() as session:
        await workers.add(session, [task("t")])
        await ended(workers.running)  # type: ignore[attr-defined]

    assert leaving.leases == []
    begin(staying, pace=QUICK)

    async def done() -> bool:
        return staying.ended == [("t", "done")]

    await until(done)


async def test_a_first_lease_carries_on_the_trace_it_was_stored_in(database: Database, begin: Begin) -> None:
    told: list[str | None] = []

    async def look(lease: Lease) -> None:
        told.extend([lease.traceparent, traceparent.get()])
        async with database.transaction() as session:
            await note(session, "seen", lease.id)
        await desk.end(lease, "done")

    desk = Desk(database, look)
    workers = begin(desk)
    await looked(database, workers)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    token = traceparent.set(parent)
    await add(database, workers, task("t"))
    traceparent.reset(token)

    async def done() -> bool:
        return bool(desk.ended)

    await until(done)
    assert told[0] == parent
    assert told[1] is not None
    assert told[1][:35] == parent[:35]
    assert told[1] != parent
