"""Billing on a real Postgres: twice, at once, out of order, and never across organisations."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fenta.billing import repository
from fenta.billing.service import BillingService
from fenta.chassis.database import Database
from tests.billing.events import (
    HIGH,
    LOW,
    NOW,
    cancelled,
    completed,
    created,
    deliver,
    job,
    org,
    raised,
    requested,
    used,
)

GUARDED = ("account", "balance", "hold", "usage_line", "ledger_transaction", "ledger_posting")


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_of: Callable[[str], Awaitable[Database]]) -> Database:
    return await database_of("billing")


@pytest.fixture
def billing(database: Database, clock: Clock) -> BillingService:
    return BillingService(database=database, default_plan="free", clock=clock)


async def rows(database: Database, table: str) -> int:
    async with database.transaction() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608


async def assert_sound(database: Database) -> None:
    async with database.transaction() as session:
        assert await repository.count_drift(session) == 0
        sums = await session.scalars(text("SELECT sum(amount) FROM balance GROUP BY org_id, unit"))
        assert set(sums) <= {0}


async def balance(billing: BillingService, org_id: str, account: str, unit: str = "kai_credits") -> int:
    return (await billing.view(org_id)).ledger.balance(unit, account)  # type: ignore[arg-type]


async def test_a_job_from_request_to_end(database: Database, billing: BillingService) -> None:
    org_id, job_id = org(), job()
    told = await deliver(database, billing, requested(org_id, job_id))
    assert [topic for topic, _ in told] == ["job.authorized"]
    assert json.loads(told[0][1])["hold"] == HIGH
    line = used(org_id, job_id)
    assert await deliver(database, billing, line) == []
    assert await deliver(database, billing, completed(org_id, job_id, [line.usage_id])) == []
    assert await balance(billing, org_id, "used") == 4
    assert await balance(billing, org_id, "available") == 46
    assert await balance(billing, org_id, "held") == 0
    await assert_sound(database)


async def test_an_unknown_organisation_gets_the_default_plan_once(database: Database, billing: BillingService) -> None:
    org_id = org()
    await asyncio.gather(*[deliver(database, billing, created(org_id)) for _ in range(5)])
    await deliver(database, billing, created(org_id))
    assert await balance(billing, org_id, "available") == 50
    assert await rows(database, "ledger_transaction") == 3


@pytest.mark.parametrize("at_once", [False, True])
async def test_each_event_again_changes_nothing(database: Database, billing: BillingService, at_once: bool) -> None:
    org_id, job_id = org(), job()
    line = used(org_id, job_id, quantity=30)
    for event in (
        created(org_id),
        requested(org_id, job_id),
        raised(org_id, job_id, 2, {"kai_credits": 25}),
        line,
        completed(org_id, job_id, [line.usage_id]),
    ):
        if at_once:
            told = await asyncio.gather(*[deliver(database, billing, event) for _ in range(3)])
        else:
            told = [await deliver(database, billing, event) for _ in range(3)]
        assert sum(map(len, told)) <= 1
    assert await balance(billing, org_id, "used") == 30
    assert await balance(billing, org_id, "available") == 20
    assert await rows(database, "usage_line") == 1
    await assert_sound(database)


async def test_two_jobs_at_once_for_the_last_credits_make_one_hold(database: Database, billing: BillingService) -> None:
    org_id = org()
    # A new account would make the others wait by itself.
    await deliver(database, billing, created(org_id))
    need = {"kai_credits": 40}
    told = await asyncio.gather(
        *[deliver(database, billing, requested(org_id, job(), low=need, high=need)) for _ in range(8)]
    )
    topics = sorted(topic for events in told for topic, _ in events)
    assert topics == ["job.authorized"] + ["job.refused"] * 7
    assert await balance(billing, org_id, "held") == 40
    await assert_sound(database)


async def test_many_lines_in_one_batch(database: Database, billing: BillingService) -> None:
    org_id, other, job_id = org(), org(), job()
    await deliver(database, billing, requested(org_id, job_id))
    lines = [used(org_id, job_id, quantity=1) for _ in range(20)]
    strangers = [used(other, None, unit="render_seconds", quantity=3) for _ in range(10)]
    told = await deliver(database, billing, *lines, *strangers, *lines, used(org_id, job_id, quantity=5))
    assert [topic for topic, _ in told] == ["budget.exceeded"]
    assert await balance(billing, org_id, "used") == 25
    assert await balance(billing, other, "used", "render_seconds") == 30
    await assert_sound(database)


async def test_two_replicas_with_the_same_organisations_do_not_deadlock(
    database: Database, billing: BillingService
) -> None:
    orgs = [org() for _ in range(4)]
    batches = [[used(org_id, None, quantity=1) for org_id in order] for order in (orgs, orgs[::-1]) * 4]
    await asyncio.gather(*[deliver(database, billing, *batch) for batch in batches])
    assert [await balance(billing, org_id, "used") for org_id in orgs] == [8] * 4


async def test_usage_after_the_release_is_late(database: Database, billing: BillingService) -> None:
    org_id, job_id = org(), job()
    await deliver(database, billing, requested(org_id, job_id))
    await deliver(database, billing, cancelled(org_id, job_id))
    await deliver(database, billing, used(org_id, job_id))
    lines = await billing.list_history(org_id, job_id=job_id, before=None, most=100)
    assert [line.kind for line in lines if line.unit == "kai_credits"] == ["late", "release", "hold"]
    await assert_sound(database)


async def test_an_end_waits_for_its_usage_and_then_for_the_clock(
    database: Database, billing: BillingService, clock: Clock
) -> None:
    org_id, early, never = org(), job(), job()
    half = {"kai_credits": 20}
    line = used(org_id, early)
    await deliver(database, billing, *[requested(org_id, name, low=half, high=half) for name in (early, never)])
    await deliver(database, billing, completed(org_id, early, [line.usage_id]), completed(org_id, never, ["usage_x"]))
    assert await balance(billing, org_id, "held") == 40
    await deliver(database, billing, line)
    assert await balance(billing, org_id, "held") == 20
    assert await billing.release_due() == 0
    clock.now += timedelta(minutes=15)
    assert sorted(await asyncio.gather(billing.release_due(), billing.release_due())) == [0, 1]
    assert await balance(billing, org_id, "held") == 0
    await assert_sound(database)


async def test_an_end_that_overtakes_its_request_holds_nothing(database: Database, billing: BillingService) -> None:
    org_id, job_id = org(), job()
    await deliver(database, billing, cancelled(org_id, job_id))
    told = await deliver(database, billing, requested(org_id, job_id))
    assert [(topic, json.loads(body)["code"]) for topic, body in told] == [("job.refused", "job_final")]
    assert await balance(billing, org_id, "held") == 0


async def test_a_hold_that_nobody_closes_expires(database: Database, billing: BillingService, clock: Clock) -> None:
    org_id = org()
    await deliver(database, billing, requested(org_id, job(), expires_at=NOW + timedelta(hours=1)))
    clock.now += timedelta(hours=1)
    assert await billing.release_due() == 1
    assert await balance(billing, org_id, "available") == 50


async def test_a_new_month_is_seen_before_it_is_written(
    database: Database, billing: BillingService, clock: Clock
) -> None:
    org_id = org()
    await deliver(database, billing, used(org_id, None, quantity=50))
    assert await balance(billing, org_id, "available") == 0
    clock.now += timedelta(days=30)
    assert await balance(billing, org_id, "available") == 50
    told = await deliver(database, billing, requested(org_id, job()))
    assert [topic for topic, _ in told] == ["job.authorized"]
    await assert_sound(database)


async def test_the_ledger_can_only_grow(database: Database, billing: BillingService) -> None:
    await deliver(database, billing, created(org()))
    for statement in ("UPDATE ledger_posting SET amount = 0", "DELETE FROM ledger_transaction"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.transaction() as session:
                await session.execute(text(statement))
    with pytest.raises(DBAPIError, match="sum to zero"):
        async with database.transaction() as session:
            await session.execute(
                text("INSERT INTO ledger_posting SELECT id, org_id, unit, 'overage', 1 FROM ledger_transaction LIMIT 1")
            )


async def test_the_api_role_sees_its_own_organisation_only(database: Database, billing: BillingService) -> None:
    mine, other, job_id = org(), org(), job()
    await deliver(database, billing, requested(mine, job_id), used(mine, job_id), created(other))
    for table in GUARDED:
        count = text(f"SELECT count(*) FROM {table} WHERE org_id = :org_id")  # noqa: S608
        async with database.transaction() as session:
            await session.execute(text("SET LOCAL ROLE fenta_billing_api"))
            assert await session.scalar(count, {"org_id": mine}) == 0
        async with database.api_transaction(other) as session:
            assert await session.scalar(count, {"org_id": mine}) == 0
        async with database.api_transaction(mine) as session:
            assert await session.scalar(count, {"org_id": mine}) != 0


async def test_gauges_come_from_the_tables(database: Database, billing: BillingService) -> None:
    await deliver(database, billing, requested(org(), job(), low=LOW))
    await billing.measure()
    async with database.transaction() as session:
        assert (await repository.open_holds(session))[0] == 1
