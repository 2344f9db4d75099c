"""Notifier on a real Postgres: announced once, delivered at least once, under one id, whatever happens between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis.errors import LeaseLost
from fenta.chassis.tasks import Lease
from fenta.contracts.ids import uuid7
from fenta.notifier.sender import Letter, Outcome
from tests.conftest import until as patiently
from tests.notifier.events import SAVED, completed, org, started
from tests.notifier.receivers import flood, hang, receiving, status
from tests.notifier.stand import Stand
from tests.notifier.test_signing import verify

GUARDED = ("endpoint", "event", "delivery", "attempt")


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    await patiently(condition, seconds=8)


async def delivery_of(stand: Stand) -> Any:
    (row,) = await stand.rows("SELECT * FROM delivery")
    return row


async def settled(stand: Stand, state: str) -> Any:
    """The only delivery, once it is in this state and its task is gone."""

    async def look() -> bool:
        return await stand.idle() and (await delivery_of(stand)).state == state

    await until(look)
    return await delivery_of(stand)


async def test_an_event_reaches_its_receiver_signed_and_once(stand: Stand) -> None:
    event = completed(stand.org_id)
    async with receiving() as receiver, stand.working():
        _, secret = await stand.subscribe(receiver.url, "job.*")
        await stand.announce(event)
        await settled(stand, "delivered")
    (request,) = receiver.received
    body: Any = verify(request.headers, request.body, secret)
    assert (body["type"], body["subject"]) == ("job.completed", event.job_id)
    assert request.headers["webhook-id"] == body["id"]
    (stored,) = await stand.rows("SELECT body FROM event")
    assert stored.body == request.body


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_repeated_event_is_one_delivery_per_endpoint(stand: Stand, at_once: bool) -> None:
    event, event_id = started(stand.org_id, source=SAVED), str(uuid7())
    async with receiving() as first, receiving() as second:
        await stand.subscribe(first.url, "*")
        await stand.subscribe(second.url, "workflow.run.*")
        repeats = [stand.announce(event, event_id=event_id) for _ in range(4)]
        if at_once:
            await asyncio.gather(*repeats)
        else:
            for repeat in repeats:
                await repeat
        async with stand.working("0"), stand.working("1"):
            await until(stand.idle)
    assert len(await stand.rows("SELECT * FROM event")) == 2
    assert len(await stand.rows("SELECT * FROM delivery WHERE state = 'delivered'")) == 3
    ids = [request.headers["webhook-id"] for request in first.received]
    assert len(ids) == len(set(ids)) == 2
    assert len(second.received) == 1


async def test_only_endpoints_that_want_it_are_told(stand: Stand) -> None:
    url = "http://127.0.0.1:9/"
    wanting, _ = await stand.subscribe(url, "job.completed", filters={"metadata": {"post": "42"}})
    await stand.subscribe(url, "job.completed", filters={"metadata": {"post": "43"}})
    await stand.subscribe(url, "job.completed", filters={"project_ids": ["proj_1"]})
    await stand.subscribe(url, "render.*")
    paused, _ = await stand.subscribe(url, "job.*", status="paused")
    await stand.announce(completed(stand.org_id, metadata={"post": "42"}), completed(org()))
    found = {(row.endpoint_id, row.state) for row in await stand.rows("SELECT * FROM delivery")}
    assert found == {(wanting.id, "pending"), (paused.id, "held")}
    assert len(await stand.rows("SELECT * FROM task")) == 1


async def test_a_failing_receiver_is_tried_again_with_the_same_id_until_the_schedule_ends(stand: Stand) -> None:
    async with receiving(status(500, body=b"oh no")) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        delivery = await settled(stand, "failed")
    assert (delivery.tries, delivery.attempts) == (3, 3)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    attempts = await stand.rows("SELECT * FROM attempt ORDER BY number")
    assert [(row.number, row.status, row.cause, row.answer) for row in attempts] == [
        (number, 500, "status", "oh no") for number in (1, 2, 3)
    ]


async def test_a_receiver_that_comes_back_gets_what_it_missed(stand: Stand) -> None:
    async with receiving(status(503)) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await until(lambda: stand.rows("SELECT 1 FROM attempt WHERE cause = 'status'"))
        receiver.answer = status(200)
        await settled(stand, "delivered")
    (endpoint,) = await stand.rows("SELECT * FROM endpoint")
    assert endpoint.failing_since is None


async def test_410_disables_the_endpoint_and_holds_what_else_was_for_it(stand: Stand) -> None:
    async with receiving(status(410)) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await settled(stand, "failed")
        await stand.announce(completed(stand.org_id))
    (endpoint,) = await stand.rows("SELECT * FROM endpoint")
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "the receiver answered 410 Gone")
    assert len(receiver.received) == 1
    assert len(await stand.rows("SELECT 1 FROM delivery WHERE state = 'held'")) == 1


@pytest.mark.parametrize(
    ("answer", "cause"), [(hang, "timeout"), (status(302, "location: http://127.0.0.1:1/"), "redirect")]
)
async def test_hostile_receivers_are_cut_off_and_noted(stand: Stand, answer: Any, cause: str) -> None:
    async with receiving(answer) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await settled(stand, "failed")
    assert {row.cause for row in await stand.rows("SELECT cause FROM attempt")} == {cause}


async def test_a_flood_is_kept_as_a_little(stand: Stand) -> None:
    async with receiving(flood) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await settled(stand, "delivered")
    (attempt,) = await stand.rows("SELECT octet_length(answer) AS size FROM attempt")
    assert attempt.size <= 16 * 1024


async def test_an_address_that_turned_inward_is_refused_for_good(stand: Stand) -> None:
    async with receiving() as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.rows("UPDATE endpoint SET url = 'https://10.0.0.1:8443/' RETURNING 1")
        await stand.announce(completed(stand.org_id))
        delivery = await settled(stand, "failed")
    assert delivery.attempts == 1
    assert [row.cause for row in await stand.rows("SELECT cause FROM attempt")] == ["url_not_allowed"]


async def test_a_worker_that_dies_while_sending_leaves_an_attempt_and_the_next_sends_again(stand: Stand) -> None:
    async with receiving() as receiver:
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await leave_half_way(stand)
        async with stand.working():
            await settled(stand, "delivered")
    causes = [row.cause for row in await stand.rows("SELECT cause FROM attempt ORDER BY number")]
    assert causes == ["interrupted", None]


async def leave_half_way(stand: Stand) -> Lease:
    """Take the only task, write down the attempt, and never come back."""
    (task,) = await stand.rows("UPDATE task SET state = 1, attempt = attempt + 1, owner = 'dead' RETURNING *")
    lease = Lease(
        id=task.id,
        kind=task.kind,
        org_id=task.org_id,
        lane=task.lane,
        job_id=None,
        payload={},
        token=task.attempt,
        failures=0,
        owner="dead",
        traceparent=None,
    )
    assert await stand.deliverer._begin(lease) is not None
    return lease


async def test_a_worker_that_lost_its_lease_writes_nothing(stand: Stand) -> None:
    async with receiving() as receiver:
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        lease = await leave_half_way(stand)
        await stand.rows("UPDATE task SET attempt = attempt + 1, owner = 'other' RETURNING 1")
        with pytest.raises(LeaseLost):
            await stand.deliverer.perform(lease)
    assert receiver.received == []
    assert (await delivery_of(stand)).state == "pending"


async def test_a_fault_of_ours_is_said_at_the_delivery(stand: Stand) -> None:
    async with receiving() as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.rows("UPDATE endpoint SET secret_key_id = 'lost' RETURNING 1")
        await stand.announce(completed(stand.org_id))
        await settled(stand, "failed")
    assert receiver.received == []


async def test_a_redelivery_has_the_same_id_and_a_new_time(stand: Stand) -> None:
    async with receiving(status(500)) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        delivery = await settled(stand, "failed")
        receiver.answer = status(200)
        await stand.notifier.redeliver(stand.identity(), delivery.id)
        await settled(stand, "delivered")
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    triggers = [row.trigger for row in await stand.rows("SELECT trigger FROM attempt ORDER BY number")]
    assert triggers == ["schedule"] * 3 + ["manual"]


async def test_the_same_redelivery_asked_twice_at_once_is_made_once(stand: Stand) -> None:
    async with receiving() as receiver:
        await stand.subscribe(receiver.url, status="paused")
        await stand.announce(completed(stand.org_id))
        identity, delivery = stand.identity(new_id=str(uuid7())), await delivery_of(stand)
        await asyncio.gather(*[stand.notifier.redeliver(identity, delivery.id) for _ in range(3)])
        async with stand.working():
            await settled(stand, "delivered")
    assert len(receiver.received) == 1


async def test_nothing_is_sent_to_a_deleted_endpoint(stand: Stand) -> None:
    async with receiving() as receiver:
        endpoint, _ = await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await stand.notifier.delete_endpoint(stand.org_id, endpoint.id)
        async with stand.working():
            await until(stand.idle)
    assert receiver.received == []
    (row,) = await stand.rows("SELECT secret_box FROM endpoint")
    assert row.secret_box == b""


async def test_days_of_nothing_but_failures_disable_an_endpoint(stand: Stand) -> None:
    async with receiving(status(500)) as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.rows("UPDATE endpoint SET failing_since = now() - interval '5 days' RETURNING 1")
        await stand.announce(completed(stand.org_id))
        await until(lambda: stand.rows("SELECT 1 FROM endpoint WHERE status = 'disabled'"))
        await settled(stand, "held")


async def test_secrets_rest_sealed(stand: Stand) -> None:
    _, secret = await stand.subscribe("http://127.0.0.1:9/")
    (row,) = await stand.rows("SELECT secret_box, endpoint::text AS everything FROM endpoint")
    assert secret.removeprefix("whsec_") not in row.everything
    assert len(row.secret_box) == 12 + 32 + 16


async def test_old_events_are_forgotten_with_their_deliveries(stand: Stand) -> None:
    await stand.subscribe("http://127.0.0.1:9/", status="paused")
    await stand.announce(completed(stand.org_id))
    await stand.announce(completed(org()))
    for days, left in ((29, 2), (31, 1), (89, 1), (91, 0)):
        age = f"UPDATE event SET created_at = now() - interval '{days} days' RETURNING 1"  # noqa: S608
        await stand.rows(age)
        await stand.notifier.forget_old()
        assert len(await stand.rows("SELECT 1 FROM event")) == left
    assert await stand.rows("SELECT 1 FROM delivery") == []


async def test_the_api_role_sees_its_own_organisation_only(stand: Stand) -> None:
    async with receiving() as receiver, stand.working():
        await stand.subscribe(receiver.url)
        await stand.announce(completed(stand.org_id))
        await settled(stand, "delivered")
    for table in GUARDED:
        count = text(f"SELECT count(*) FROM {table}")  # noqa: S608
        async with stand.database.transaction() as session:
            await session.execute(text("SET LOCAL ROLE fenta_notifier_api"))
            assert await session.scalar(count) == 0
        async with stand.database.api_transaction(org()) as session:
            assert await session.scalar(count) == 0
        async with stand.database.api_transaction(stand.org_id) as session:
            assert await session.scalar(count) == 1


async def test_gauges_come_from_the_tables(stand: Stand) -> None:
    await stand.subscribe("http://127.0.0.1:9/")
    await stand.announce(completed(stand.org_id))
    await stand.notifier.measure()


async def test_sending_waits_for_no_transaction(stand: Stand) -> None:
    """While a receiver thinks, nothing at Postgres is begun and not ended."""
    seen: list[int] = []
    begun = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'")
    send = stand.deliverer._sender.send

    async def watch(letter: Letter) -> Outcome:
        async with stand.database.engine.connect() as connection:
            seen.append(await connection.scalar(begun) or 0)
        return await send(letter)

    stand.deliverer._sender.send = watch  # type: ignore[method-assign]
    async with receiving() as receiver:
        endpoint, _ = await stand.subscribe(receiver.url)
        await stand.deliverer.send_test(stand.identity(), endpoint.id)
    assert seen == [0]
