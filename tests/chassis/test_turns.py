"""Turns: who is next, by priority and fairly between organisations."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database
from fenta.chassis.tasks import Lease, Task
from tests.chassis.conftest import ended
from tests.support.desk import Desk, add, all_ended, left, task


async def test_urgent_work_goes_first_and_equals_in_turn(database: Database, workers: Any) -> None:
    await add(database, task("batch", priority="batch"), task("one"), task("two"), task("now", priority="interactive"))
    desk = Desk(database)

    workers(desk)

    assert [name for name, _ in await all_ended(desk, 4)] == ["now", "one", "two", "batch"]


async def test_a_crowd_of_one_organisation_delays_another_by_one(database: Database, workers: Any) -> None:
    await add(database, *(task(f"crowd{number:04}", "org_crowd") for number in range(1000)))
    await add(database, *(task(f"few{number}", "org_few") for number in range(3)))
    desk = Desk(database)

    workers(desk)

    order = [name[:3] for name, _ in (await all_ended(desk, 8))[:6]]
    assert sorted(order) == ["cro", "cro", "cro", "few", "few", "few"]
    assert all(first != second for first, second in pairwise(order))


async def test_weight_is_an_organisations_share(database: Database, workers: Any) -> None:
    await add(database, *(task(f"light{number:02}", "org_light") for number in range(20)))
    await add(database, *(task(f"heavy{number:02}", "org_heavy", weight=3) for number in range(20)))
    desk = Desk(database)

    workers(desk)

    first = [name[:5] for name, _ in (await all_ended(desk, 16))[:16]]
    assert first.count("heavy") == 12


def three(lane: str, names: str) -> list[Task]:
    """Tasks of two organisations that cost and say different things."""
    first, second, third = (f"{lane}/{name}" for name in names)
    return [
        Task(id=first, kind="k", org_id="org_1", lane=lane, weight=3, expected_seconds=7, job_id="j"),
        Task(id=second, kind="k", org_id="org_1", lane=lane, payload={"a": ["'", None]}),
        Task(id=third, kind="other", org_id="org_2", lane=lane, priority="batch", job_id=""),
    ]


# What is leased at once moves the mark, behind which others' come next.
@pytest.mark.parametrize(("owner", "count"), [(None, 3), ("somebody", 2)])
async def test_tasks_stand_in_the_same_place_alone_and_together(
    database: Database, owner: str | None, count: int
) -> None:
    marks = {"alone": 500, "together": 500}
    known: list[tuple[list[str], list[str]]] = []
    async with database.transaction() as session:
        # The second time they are there already, the third time others come behind them.
        for names in ("abc", "abc", "def"):
            singly, together = three("alone", names)[:count], three("together", names)[:count]
            seen = [await tasks.insert(session, [one], owner=owner, marks=marks) for one in singly]
            seen_together = await tasks.insert(session, together, owner=owner, marks=marks)
            known.append((sorted(set[str]().union(*seen)), sorted(seen_together)))

    assert known == [
        ([], []),
        ([f"alone/{c}" for c in "abc"[:count]], [f"together/{c}" for c in "abc"[:count]]),
        ([], []),
    ]
    assert marks["alone"] == marks["together"]
    assert (marks["alone"] > 500) == (owner is not None)
    rows = [
        (row.lane, row.vt, row.org_id, row.job_id, row.priority, row.state, row.attempt, row.owner, row.payload)
        for row in await left(database)
    ]
    assert [row[1:] for row in rows if row[0] == "alone"] == [row[1:] for row in rows if row[0] == "together"]
    assert len(rows) == 4 * count


async def test_who_comes_late_starts_where_the_others_are(database: Database, workers: Any) -> None:
    await add(database, *(task(f"a{number:02}", "org_a") for number in range(30)))
    desk = Desk(database)
    running = workers(desk)
    await all_ended(desk, 30)
    await ended(running)

    await add(database, task("b", "org_b"), task("c", "org_c", weight=2))

    async with database.engine.connect() as connection:
        mark = await connection.scalar(text("SELECT vt FROM task_mark WHERE lane = 'high'"))
    assert [row.vt - mark for row in await left(database)] == [1000, 500]


async def test_who_goes_on_keeps_a_turn_that_the_others_have_passed(database: Database, workers: Any) -> None:
    begun: list[str] = []
    passed, again = asyncio.Event(), asyncio.Event()

    async def go_on(lease: Lease) -> None:
        begun.append(lease.id)
        if lease.id == "t0" and lease.token == 1:
            await passed.wait()
            return await desk.endings.later(lease, 0)
        if lease.id == "t0":
            again.set()
        if lease.id == "t2":
            passed.set()
            await again.wait()
        return await desk.end(lease, "done")

    await add(database, *(task(f"t{number}") for number in range(6)))
    desk = Desk(database, go_on)
    workers(desk, slots=2)

    await all_ended(desk, 6)
    assert begun == ["t0", "t1", "t2", "t0", "t3", "t4", "t5"]
