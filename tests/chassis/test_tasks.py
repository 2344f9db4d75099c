"""Tasks: who holds what, and how a lease ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.endings import Endings
from fenta.chassis.errors import LeaseLost, PermanentError, TransientError, Unavailable
from fenta.chassis.tasks import Lease
from fenta.chassis.workers import MOST_FAILURES, Pace, Workers
from tests.chassis.conftest import Fatal, ended
from tests.conftest import until
from tests.support.desk import HASTY, QUICK, Desk, add, all_ended, left, task
from tests.support.part import note, notes


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    """The same database as another process has it."""
    async with open_database(url, service="billing") as database:
        yield database


async def test_two_processes_do_each_task_once(database: Database, other: Database, workers: Any) -> None:
    desks = [Desk(database), Desk(other)]
    await add(database, *(task(f"t{number:03}") for number in range(100)))

    for number, desk in enumerate(desks):
        workers(desk, slots=4, instance_id=str(number))

    async def done() -> bool:
        return not await left(database)

    await until(done)
    assert sorted(await notes(database, "done")) == [f"t{number:03}" for number in range(100)]


async def claim(database: Database, name: str) -> Lease:
    """A lease as a worker would hold it."""
    async with database.transaction() as session:
        row = (
            await session.execute(
                text("UPDATE task SET state = 1, owner = 'me', attempt = attempt + 1 WHERE id = :id RETURNING *"),
                {"id": name},
            )
        ).one()
    return Lease(
        id=name, kind=row.kind, org_id=row.org_id, lane=row.lane, job_id=None, payload=row.payload,
        token=row.attempt, failures=row.failures, owner="me", traceparent=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "end",
    [lambda lease, session: lease.failed(session, 0, "x"), lambda lease, session: lease.hold(session)],
    ids=["failed", "hold"],
)
async def test_a_lost_lease_ends_nothing_and_its_effects_roll_back(database: Database, end: Any) -> None:
    await add(database, task("t"))
    lost = await claim(database, "t")
    await claim(database, "t")

    async def write(session: Session) -> None:
        await note(session, "effect", "t")
        await end(lost, session)

    with pytest.raises(LeaseLost):
        await in_transaction(database, write)

    assert await notes(database, "effect") == []
    assert [row.attempt for row in await left(database)] == [2]


async def test_each_hand_over_has_a_token_of_its_own(database: Database, workers: Any) -> None:
    """Also between two hand-overs to the same worker, whose first try may still be on its way."""
    tokens: list[int] = []

    async def hand_back(lease: Lease) -> None:
        tokens.append(lease.token)
        if len(tokens) == 3:
            return await desk.end(lease, "done")
        return await Endings(database).later(lease, 0)

    await add(database, task("t"))
    desk = Desk(database, hand_back)
    workers(desk)

    await all_ended(desk, 1)
    assert tokens == [1, 2, 3]


async def in_transaction(database: Database, write: Callable[[Session], Any]) -> None:
    async with database.transaction() as session:
        await write(session)


async def test_transient_failures_are_tried_again_and_then_given_up(database: Database, workers: Any) -> None:
    tries: list[int] = []

    async def fail(lease: Lease) -> None:
        tries.append(lease.failures)
        raise TransientError("busy", retry_after_seconds=0.01)

    await add(database, task("t"))
    desk = Desk(database, fail)
    workers(desk)

    assert await all_ended(desk, 1) == [("t", "given up: busy")]
    assert tries == list(range(MOST_FAILURES))


async def test_while_a_part_is_away_nobody_gives_up(database: Database, workers: Any) -> None:
    tries: list[int] = []

    async def find_it_away(lease: Lease) -> None:
        tries.append(lease.failures)
        if len(tries) <= 2 * MOST_FAILURES:
            raise Unavailable("object storage", retry_after_seconds=0.01)
        await desk.end(lease, "done")

    await add(database, task("t"))
    desk = Desk(database, find_it_away)
    workers(desk)

    assert await all_ended(desk, 1) == [("t", "done")]
    assert set(tries) == {0}


async def test_a_permanent_failure_is_given_up_at_once(database: Database, workers: Any) -> None:
    tries: list[str] = []

    async def fail(lease: Lease) -> None:
        tries.append(lease.id)
        raise PermanentError("never")

    await add(database, task("t"))
    desk = Desk(database, fail)
    workers(desk)

    assert await all_ended(desk, 1) == [("t", "given up: never")]
    assert tries == ["t"]


async def test_while_the_database_is_away_nobody_gives_up(database: Database, workers: Any) -> None:
    tries: list[str] = []

    async def lose_the_connection_once(lease: Lease) -> None:
        tries.append(lease.id)
        if len(tries) == 1:
            raise ConnectionRefusedError("the database is away")
        await desk.end(lease, "done")

    await add(database, task("t"))
    desk = Desk(database, lose_the_connection_once)
    workers(desk, pace=HASTY)

    assert await all_ended(desk, 1) == [("t", "done")]


async def test_a_lease_that_nobody_ended_is_freed_and_tried_again(database: Database, workers: Any) -> None:
    tries: list[int] = []

    async def forget_once(lease: Lease) -> None:
        tries.append(lease.failures)
        if len(tries) > 1:
            await desk.end(lease, "done")

    await add(database, task("t"))
    desk = Desk(database, forget_once)
    workers(desk, pace=HASTY)

    assert await all_ended(desk, 1) == [("t", "done")]
    assert tries[:2] == [0, 1]


async def test_what_is_given_back_goes_on_until_it_is_finished(database: Database, workers: Any) -> None:
    seen: list[str] = []

    async def in_steps(lease: Lease) -> None:
        seen.append(lease.id)
        await (desk.endings.later(lease, 0) if len(seen) < 50 else desk.end(lease, "done"))

    await add(database, task("t"))
    desk = Desk(database, in_steps)
    workers(desk, slots=3)

    await all_ended(desk, 1)
    assert seen == ["t"] * 50


async def test_a_waiting_task_that_is_cancelled_is_answered_before_the_others(database: Database, workers: Any) -> None:
    await add(database, *(task(f"t{number}", job_id="job_1") for number in range(50)), task("t50", job_id="job_2"))
    async with database.transaction() as session:
        assert await tasks.cancel(session, "job_1", ["t49", "t50", "gone"], "user") == {"t49"}
    desk = Desk(database)

    workers(desk)

    await all_ended(desk, 51)
    assert desk.ended[0] == ("t49", "cancelled: user")
    assert sum(name == "t49" for name, _ in desk.ended) == 1


async def test_a_running_task_that_is_cancelled_is_stopped_and_answered_once(database: Database, workers: Any) -> None:
    async def hang(lease: Lease) -> None:
        await asyncio.Event().wait()

    await add(database, task("t", job_id="job_1"))
    desk = Desk(database, hang)
    workers(desk)

    async def working() -> bool:
        return desk.working == {"t"}

    await until(working)
    for reason in ("user", "again"):
        async with database.transaction() as session:
            await tasks.cancel(session, "job_1", None, reason)

    assert await all_ended(desk, 1) == [("t", "cancelled: user")]
    assert await left(database) == []


async def test_a_silent_workers_tasks_go_to_another_when_its_lease_has_run_out(
    database: Database, other: Database, workers: Any
) -> None:
    await add(database, task("t"))
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO worker VALUES ('9', '9/dead', now() + interval '0.5 s')"))
        await session.execute(text("UPDATE task SET state = 1, owner = '9/dead', attempt = 1"))
    desk = Desk(other)

    workers(desk)

    assert await all_ended(desk, 1) == [("t", "done")]


async def test_the_gauges_tell_what_waits_and_what_runs(database: Database, workers: Any) -> None:
    async def hang(lease: Lease) -> None:
        await asyncio.Event().wait()

    await add(database, *(task(f"t{number}") for number in range(5)))
    async with database.transaction() as session:
        await session.execute(text("UPDATE task SET state = 2, run_at = now() + interval '1 hour' WHERE id = 't4'"))
    workers(Desk(database, hang), slots=2)

    async def told() -> bool:
        names = ("waiting", "running", "slot")
        labels = {"service": "billing", "lane": "high"}
        return [REGISTRY.get_sample_value(f"fenta_chassis_{name}_tasks", labels) for name in names] == [2, 2, 2]

    await until(told)


async def test_work_whose_lease_was_lost_is_stopped_and_writes_nothing(
    database: Database, other: Database, workers: Any
) -> None:
    stopped = asyncio.Event()

    async def hang(lease: Lease) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await add(database, task("t"))
    desk = Desk(database, hang)
    workers(desk)

    async def working() -> bool:
        return desk.working == {"t"}

    await until(working)
    async with other.transaction() as session:
        await session.execute(text("UPDATE task SET owner = '9/other', attempt = attempt + 1"))
        await session.execute(text("INSERT INTO worker VALUES ('9', '9/other', now() + interval '1 hour')"))

    await asyncio.wait_for(stopped.wait(), 10)
    assert desk.ended == []


async def test_a_second_process_of_the_same_instance_takes_the_tasks_and_ends_the_first(
    database: Database, other: Database, workers: Any, fatal: Fatal
) -> None:
    async def hang(lease: Lease) -> None:
        await asyncio.Event().wait()

    await add(database, task("t"))
    first, second = Desk(database, hang), Desk(other)
    workers(first)

    async def working() -> bool:
        return first.working == {"t"}

    await until(working)
    workers(second)

    assert await all_ended(second, 1) == [("t", "done")]

    async def told() -> bool:
        return bool(fatal)

    await until(told)
    assert fatal[0] == "another process took over the tasks of instance 0"
    fatal.clear()


async def test_stopped_workers_give_their_tasks_back(database: Database, other: Database, workers: Any) -> None:
    async def hang(lease: Lease) -> None:
        await asyncio.Event().wait()

    await add(database, task("t"))
    first, second = Desk(database, hang), Desk(other)
    running = workers(first, pace=Pace())

    async def working() -> bool:
        return first.working == {"t"}

    await until(working)
    await ended(running)

    assert [(row.state, row.owner) for row in await left(database)] == [(0, None)]
    workers(second, instance_id="1")
    assert await all_ended(second, 1) == [("t", "done")]


@pytest.mark.parametrize("turns", range(4))
async def test_workers_that_wake_while_they_are_stopped_stop(database: Database, fatal: Fatal, turns: int) -> None:
    made = Workers(
        database=database, executor=Desk(database), instance_id="0", service="billing", slots={"high": 1},
        on_fatal=fatal, pace=QUICK,
    )  # fmt: skip
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0.3)

    made.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()

    done, _ = await asyncio.wait({running}, timeout=5)
    assert done == {running}


async def test_a_task_added_twice_is_kept_once_as_it_was_first(database: Database) -> None:
    await add(database, task("t", payload={"n": 1}), task("t", payload={"n": 2}))
    await add(database, task("t", payload={"n": 3}))

    assert [(row.id, row.payload) for row in await left(database)] == [("t", {"n": 1})]
