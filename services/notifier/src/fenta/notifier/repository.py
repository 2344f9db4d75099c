"""Every SQL statement of notifier."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from fenta.chassis.database import Session
from fenta.chassis.errors import NotFound
from fenta.notifier.event_types import PublicEvent
from fenta.notifier.models import Attempt, Delivery, DeliveryState, Endpoint, StoredEvent
from fenta.notifier.sender import Outcome

_ADD_EVENTS = text(
    "INSERT INTO event (id, org_id, source_event_id, type, subject, project_id, body, occurred_at) "
    "SELECT * FROM unnest(CAST(:id AS text[]), CAST(:org_id AS text[]), CAST(:source_event_id AS uuid[]), "
    "CAST(:type AS text[]), CAST(:subject AS text[]), CAST(:project_id AS text[]), CAST(:body AS bytea[]), "
    "CAST(:occurred_at AS timestamptz[])) ON CONFLICT DO NOTHING"
)
_ADD_DELIVERIES = text(
    "INSERT INTO delivery (id, org_id, event_id, endpoint_id, state, tries, attempts, created_at, updated_at) "
    "SELECT u.*, 0, 0, :now, :now FROM unnest(CAST(:id AS text[]), CAST(:org_id AS text[]), "
    "CAST(:event_id AS text[]), CAST(:endpoint_id AS text[]), CAST(:state AS text[])) AS u "
    "ON CONFLICT DO NOTHING RETURNING id"
)
_DELIVERIES = text(
    "SELECT d.number, d.id, d.endpoint_id, d.event_id, e.type, e.subject, d.state, d.attempts, d.next_attempt_at, "
    "d.created_at, d.updated_at FROM delivery d JOIN event e ON e.id = d.event_id "
    "WHERE d.endpoint_id = :endpoint_id AND (CAST(:state AS text) IS NULL OR d.state = :state) "
    "AND (CAST(:type AS text) IS NULL OR e.type = :type) "
    "AND (CAST(:since AS timestamptz) IS NULL OR d.created_at >= :since) "
    "AND (CAST(:until AS timestamptz) IS NULL OR d.created_at < :until) "
    "AND (CAST(:before AS bigint) IS NULL OR d.number < :before) ORDER BY d.number DESC LIMIT :most"
)
_DUE = text(
    "SELECT count(*) AS deliveries, coalesce(extract(epoch FROM "
    "max(now() - coalesce(next_attempt_at, created_at))), 0) AS oldest_seconds FROM delivery "
    "WHERE state = 'pending' AND coalesce(next_attempt_at, created_at) <= now()"
)
_STATUSES = text("SELECT status, count(*) AS endpoints FROM endpoint WHERE deleted_at IS NULL GROUP BY status")
# An event stays as long as somebody may look at its deliveries.
_FORGET = text(
    "DELETE FROM event WHERE id IN (SELECT id FROM event e WHERE created_at < :unused_before AND "
    "(created_at < :all_before OR NOT EXISTS (SELECT 1 FROM delivery d WHERE d.event_id = e.id)) LIMIT :most)"
)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('endpoint:' || :org_id))")


@dataclass(frozen=True)
class Draft:
    """A delivery that may have to be made."""

    id: str
    org_id: str
    event_id: str
    endpoint_id: str
    state: DeliveryState


async def add_events(session: Session, events: Sequence[PublicEvent]) -> None:
    """Store each once; what is there already stays as it is."""
    names = ("id", "org_id", "source_event_id", "type", "subject", "project_id", "body", "occurred_at")
    if events:
        await session.execute(_ADD_EVENTS, {name: [getattr(event, name) for event in events] for name in names})


async def add_deliveries(session: Session, drafts: Sequence[Draft], now: datetime) -> set[str]:
    """Answers the ids of those that were not there before."""
    if not drafts:
        return set()
    names = ("id", "org_id", "event_id", "endpoint_id", "state")
    columns = {name: [getattr(draft, name) for draft in drafts] for name in names}
    return set(await session.scalars(_ADD_DELIVERIES, columns | {"now": now}))


async def get_event(session: Session, event_id: str) -> StoredEvent:
    return await session.get_one(StoredEvent, event_id)


async def list_endpoints_of(session: Session, org_ids: Iterable[str]) -> Sequence[Endpoint]:
    living = select(Endpoint).where(Endpoint.org_id.in_(sorted(org_ids)), Endpoint.deleted_at.is_(None))
    return (await session.scalars(living.order_by(Endpoint.id))).all()


async def add_endpoint(session: Session, endpoint: Endpoint) -> bool:
    """Whether it was new; one of the same id stays as it is."""
    columns = [column.name for column in Endpoint.__table__.columns if column.name != "number"]
    values = {name: getattr(endpoint, name) for name in columns}
    added = insert(Endpoint).values(values).on_conflict_do_nothing().returning(Endpoint.id)
    return await session.scalar(added) is not None


async def count_endpoints(session: Session, org_id: str) -> int:
    """How many there are; whoever counts before adding one is alone in doing so."""
    await session.execute(_ONE_AT_A_TIME, {"org_id": org_id})
    living = select(func.count()).select_from(Endpoint).where(Endpoint.org_id == org_id, Endpoint.deleted_at.is_(None))
    return int(await session.scalar(living) or 0)


async def list_endpoints(session: Session, *, before: int | None, most: int) -> Sequence[Endpoint]:
    living = select(Endpoint).where(Endpoint.deleted_at.is_(None))
    if before is not None:
        living = living.where(Endpoint.number < before)
    return (await session.scalars(living.order_by(Endpoint.number.desc()).limit(most))).all()


async def get_endpoint(session: Session, endpoint_id: str, *, deleted: bool = False, lock: bool = False) -> Endpoint:
    """Raises `NotFound`; a deleted one is found only by who asks for it."""
    endpoint = await find_endpoint(session, endpoint_id, lock=lock)
    if endpoint is None or (endpoint.deleted_at is not None and not deleted):
        raise NotFound("webhook")
    return endpoint


async def find_endpoint(session: Session, endpoint_id: str, *, lock: bool = False) -> Endpoint | None:
    wanted = select(Endpoint).where(Endpoint.id == endpoint_id)
    # Not the strongest lock: deliveries that name this endpoint may be stored meanwhile.
    return await session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)


async def get_delivery(session: Session, delivery_id: str) -> Delivery:
    """Raises `NotFound`, also for a delivery of a deleted endpoint."""
    delivery = await session.get(Delivery, delivery_id)
    if delivery is None:
        raise NotFound("delivery")
    await get_endpoint(session, delivery.endpoint_id)
    return delivery


async def get_delivery_for_update(session: Session, delivery_id: str) -> Delivery | None:
    return await session.scalar(select(Delivery).where(Delivery.id == delivery_id).with_for_update())


async def list_deliveries(session: Session, **filters: Any) -> Sequence[Any]:
    return (await session.execute(_DELIVERIES, filters)).all()


async def list_attempts(session: Session, delivery_id: str) -> Sequence[Attempt]:
    of_delivery = select(Attempt).where(Attempt.delivery_id == delivery_id)
    return (await session.scalars(of_delivery.order_by(Attempt.number))).all()


async def get_attempt(session: Session, delivery_id: str, number: int) -> Attempt:
    return await session.get_one(Attempt, (delivery_id, number))


async def end_open_attempts(session: Session, delivery_id: str, task_id: str, outcome: Outcome, now: datetime) -> None:
    """Attempts of this task that nobody ended: their worker died."""
    unfinished = update(Attempt).where(
        Attempt.delivery_id == delivery_id, Attempt.task_id == task_id, Attempt.finished_at.is_(None)
    )
    await session.execute(unfinished.values(finished_at=now, cause=outcome.cause))


async def due_deliveries(session: Session) -> tuple[int, float]:
    """How many there are, and for how many seconds the oldest has been due."""
    row = (await session.execute(_DUE)).one()
    return row.deliveries, float(row.oldest_seconds)


async def endpoints_by_status(session: Session) -> dict[str, int]:
    return {row.status: row.endpoints for row in await session.execute(_STATUSES)}


async def forget_events(session: Session, *, unused_before: datetime, all_before: datetime, most: int) -> int:
    """Delete old events with their deliveries; answers how many went."""
    values = {"unused_before": unused_before, "all_before": all_before, "most": most}
    result: Any = await session.execute(_FORGET, values)
    return int(result.rowcount)
