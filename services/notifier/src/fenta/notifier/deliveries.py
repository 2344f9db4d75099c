"""The sending: each delivery is a leased task of three short steps, so that a death in any gap loses nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fenta.chassis.crash import crash_point
from fenta.chassis.database import DATABASE_ERRORS, Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.errors import TransientError
from fenta.chassis.identity import Identity
from fenta.chassis.tasks import Lease
from fenta.chassis.telemetry import log
from fenta.contracts.ids import derived_id, new_id
from fenta.notifier import metrics, repository, schedule, signing
from fenta.notifier.event_types import make_event
from fenta.notifier.models import Attempt, Delivery, Endpoint, Trigger
from fenta.notifier.repository import Draft
from fenta.notifier.sealing import Keyring, Sealed
from fenta.notifier.sender import Letter, Outcome, Sender
from fenta.notifier.service import owner, utc_now


@dataclass(frozen=True)
class Begun:
    """An attempt that is written down and may now be made."""

    delivery_id: str
    endpoint_id: str
    number: int
    trigger: Trigger
    letter: Letter


class Deliverer:
    """Sends what is due. An executor of leased tasks, whose ids are those of deliveries."""

    def __init__(
        self, *, database: Database, keyring: Keyring, sender: Sender, pauses: Sequence[float] = schedule.TEN_ATTEMPTS
    ) -> None:
        self._database = database
        self._endings = Endings(database)
        self._keyring = keyring
        self._sender = sender
        self._pauses = pauses

    async def perform(self, lease: Lease) -> None:
        """Write down that it is tried, try, write down what came of it."""
        try:
            begun = await self._begin(lease)
            if begun is None:
                return await self._endings.finish(lease)
            crash_point("delivery.begun")
            outcome = await self._sender.send(begun.letter)
            crash_point("delivery.sent")
            await self._end(lease, begun, outcome)
        except (*DATABASE_ERRORS, OSError) as error:
            raise TransientError(f"the database is away: {error}") from error
        return _tell(begun, outcome)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Something of ours is broken: say so at the delivery instead of trying for ever."""
        await self._endings.end(lease, self._break_off)
        log.error("delivery.broken", delivery_id=delivery_of(lease), error=f"{type(error).__name__}: {error}")

    async def cancelled(self, lease: Lease, reason: str) -> None:
        await self._endings.finish(lease)

    async def _break_off(self, session: Session, lease: Lease) -> None:
        delivery = await repository.get_delivery_for_update(session, delivery_of(lease))
        if delivery is None:
            return
        await self._close_open(session, delivery, lease, Outcome(cause="internal"))
        if delivery.state == "pending":
            delivery.give_up(utc_now())

    async def _begin(self, lease: Lease) -> Begun | None:
        """None when there is nothing to send any more."""
        async with self._database.transaction() as session:
            await lease.hold(session)
            delivery = await repository.get_delivery_for_update(session, delivery_of(lease))
            endpoint = await repository.find_endpoint(session, delivery.endpoint_id) if delivery else None
            if delivery is None or endpoint is None or not _may_go(lease, delivery, endpoint):
                return None
            await self._close_open(session, delivery, lease, Outcome(cause="interrupted"))
            return await self._write_attempt(session, delivery, endpoint, lease)

    async def _close_open(self, session: Session, delivery: Delivery, lease: Lease, outcome: Outcome) -> None:
        """What an earlier worker of this task began and did not end."""
        await repository.end_open_attempts(session, delivery.id, lease.id, outcome, utc_now())

    async def _write_attempt(
        self, session: Session, delivery: Delivery, endpoint: Endpoint, lease: Lease | None
    ) -> Begun:
        event = await repository.get_event(session, delivery.event_id)
        now = utc_now()
        trigger: Trigger = "test" if lease is None else "schedule" if lease.kind == "delivery" else "manual"
        headers = self._sign(endpoint, event.id, event.body, now)
        attempt = Attempt(
            delivery_id=delivery.id,
            number=delivery.begin_attempt(),
            org_id=delivery.org_id,
            task_id=lease.id if lease else None,
            trigger=trigger,
            url=endpoint.url,
            headers=headers,
            started_at=now,
        )
        session.add(attempt)
        if attempt.number == 1:
            metrics.first_attempt_delay_seconds.observe((now - delivery.created_at).total_seconds())
        letter = Letter(endpoint.url, event.body, headers)
        return Begun(delivery.id, endpoint.id, attempt.number, trigger, letter)

    def _sign(self, endpoint: Endpoint, event_id: str, body: bytes, now: datetime) -> dict[str, str]:
        sealed = Sealed(endpoint.secret_key_id, endpoint.secret_box)
        secret = self._keyring.open(sealed, owner=owner(endpoint.org_id, endpoint.id))
        return signing.headers(signing.shown(secret), message_id=event_id, timestamp=int(now.timestamp()), body=body)

    async def _end(self, lease: Lease, begun: Begun, outcome: Outcome) -> None:
        async def record(session: Session, _lease: Lease) -> float | None:
            return await self._record(session, begun, outcome)

        # Deliveries to one endpoint all lock it.
        await self._endings.end(lease, record, order=begun.endpoint_id)

    async def _record(self, session: Session, begun: Begun, outcome: Outcome) -> float | None:
        """Note the outcome at attempt, delivery and endpoint; answers after what pause to try again, if at all."""
        now = utc_now()
        delivery = await repository.get_delivery_for_update(session, begun.delivery_id)
        endpoint = await repository.find_endpoint(session, begun.endpoint_id, lock=True)
        if delivery is None or endpoint is None:
            return None
        (await repository.get_attempt(session, begun.delivery_id, begun.number)).end(outcome, now)
        _judge_endpoint(endpoint, outcome, now)
        delivery.tries += begun.trigger == "schedule"
        if outcome.delivered:
            delivery.deliver(now)
        return self._next(delivery, begun, outcome, now)

    def _next(self, delivery: Delivery, begun: Begun, outcome: Outcome, now: datetime) -> float | None:
        """Only the schedule goes on; a test or a redelivery is made once."""
        if begun.trigger == "test" and not outcome.delivered:
            delivery.give_up(now)
        if delivery.state != "pending" or begun.trigger != "schedule":
            return None
        wish = schedule.wish_of(outcome.retry_after, now)
        chance = random.random()  # noqa: S311  spreads load, guards nothing
        pause = schedule.pause_after(delivery.tries, self._pauses, chance=chance, wish_seconds=wish)
        if pause is None or outcome.final:
            delivery.give_up(now)
            return None
        delivery.wait(now + timedelta(seconds=pause), now)
        return pause

    async def send_test(self, identity: Identity, endpoint_id: str) -> Attempt:
        """Send `webhook.test` now, whatever the status of the endpoint; answers the attempt."""
        begun = await self._begin_test(identity, endpoint_id)
        if isinstance(begun, Attempt):
            return begun
        outcome = await self._sender.send(begun.letter)
        async with self._database.api_transaction(identity.org_id) as session:
            await self._record(session, begun, outcome)
            attempt = await repository.get_attempt(session, begun.delivery_id, begun.number)
        _tell(begun, outcome)
        return attempt

    async def _begin_test(self, identity: Identity, endpoint_id: str) -> Begun | Attempt:
        """A repeated request finds the attempt of the first."""
        async with self._database.api_transaction(identity.org_id) as session:
            endpoint = await repository.get_endpoint(session, endpoint_id)
            event = make_event(
                id_=new_id("evt", value=identity.new_id),
                name="webhook.test",
                org_id=identity.org_id,
                subject=endpoint_id,
                occurred_at=utc_now(),
                data={"endpoint_id": endpoint_id},
            )
            await repository.add_events(session, [event])
            delivery_id = derived_id("dlv", event.id, endpoint_id)
            # Nobody sends what is held, should this process die before the outcome is known.
            draft = Draft(delivery_id, identity.org_id, event.id, endpoint_id, "held")
            if not await repository.add_deliveries(session, [draft], utc_now()):
                return (await repository.list_attempts(session, delivery_id))[-1]
            delivery = await repository.get_delivery(session, delivery_id)
            return await self._write_attempt(session, delivery, endpoint, None)


def delivery_of(lease: Lease) -> str:
    """A redelivery's task has its own id behind that of its delivery."""
    return lease.id.partition("/")[0]


def _may_go(lease: Lease, delivery: Delivery, endpoint: Endpoint) -> bool:
    """The schedule sends what is pending to an enabled endpoint; a person may send anything but to a deleted one."""
    if endpoint.deleted_at is None and (lease.kind == "redelivery" or endpoint.status == "enabled"):
        return lease.kind == "redelivery" or delivery.state == "pending"
    if delivery.state == "pending":
        delivery.hold(utc_now())
    return False


def _judge_endpoint(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    if outcome.delivered:
        endpoint.succeed()
    elif outcome.cause == "gone":
        endpoint.disable("the receiver answered 410 Gone", now)
    else:
        endpoint.fail(now)


def _tell(begun: Begun, outcome: Outcome) -> None:
    result = outcome.cause or "delivered"
    metrics.attempts.labels(result).inc()
    metrics.attempt_seconds.observe(outcome.latency_ms / 1000)
    log.info(
        "delivery.attempted",
        delivery_id=begun.delivery_id,
        endpoint_id=begun.endpoint_id,
        attempt=begun.number,
        trigger=begun.trigger,
        outcome=result,
        status=outcome.status,
        duration_ms=outcome.latency_ms,
    )
