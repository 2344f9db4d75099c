"""The use cases of notifier but for the sending: what is announced to whom, and endpoints and their deliveries."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.errors import Problem
from fenta.chassis.identity import Identity
from fenta.chassis.messages import Message
from fenta.chassis.tasks import Queue, Task
from fenta.chassis.telemetry import trace
from fenta.contracts.ids import derived_id, new_id, uuid7
from fenta.notifier import metrics, repository, signing
from fenta.notifier.addresses import AddressGuard, UrlRefused
from fenta.notifier.event_types import PublicEvent, public_events, unknown_patterns
from fenta.notifier.models import Attempt, Delivery, DeliveryState, Endpoint, StoredEvent
from fenta.notifier.repository import Draft
from fenta.notifier.sealing import Keyring

LANE = "default"
RESOLVE_SECONDS = 5.0
UNUSED_EVENT_DAYS, EVENT_DAYS = 30, 90
MOST_FORGOTTEN = 1000
ENDPOINTS_BY_PLAN = {"free": 2, "starter": 5, "pro": 20, "enterprise": 200}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def utc_now() -> datetime:
    return datetime.now(UTC)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises OSError or TimeoutError."""
    async with asyncio.timeout(RESOLVE_SECONDS):
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in answers]


class NotifierService:
    """Endpoints and what is sent to them; deliveries wait in the queue."""

    def __init__(
        self,
        *,
        database: Database,
        keyring: Keyring,
        guard: AddressGuard,
        resolve: Resolve = resolve,
        queue: Queue = tasks,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._guard = guard
        self._resolve = resolve
        self.queue = queue

    async def announce(self, session: Session, messages: Sequence[Message[Any]]) -> None:
        """Store what is public of these events, and a delivery for every endpoint that wants it."""
        announced = {one.id: (one, message) for message in messages for one in _public(message)}
        events = [one for _, (one, _) in sorted(announced.items())]
        await repository.add_events(session, events)
        drafts = _drafts(events, await self._endpoints_by_org(session, events))
        fresh = await repository.add_deliveries(session, drafts, utc_now())
        due = [draft for draft in drafts if draft.id in fresh and draft.state == "pending"]
        traces = {event_id: message.traceparent for event_id, (_, message) in announced.items()}
        for traceparent, traced in _grouped(due, traces).items():
            with trace(traceparent):
                await self.queue.add(session, [_task(draft) for draft in traced])

    async def _endpoints_by_org(
        self, session: Session, events: Sequence[PublicEvent]
    ) -> Mapping[str, Sequence[Endpoint]]:
        by_org = defaultdict(list)
        for endpoint in await repository.list_endpoints_of(session, {event.org_id for event in events}):
            by_org[endpoint.org_id].append(endpoint)
        return by_org

    async def create_endpoint(self, identity: Identity, values: Mapping[str, Any]) -> tuple[Endpoint, str | None]:
        """A new endpoint and its secret; a repeated request gets the endpoint that is there, without it."""
        await self._check(values)
        secret = signing.new_secret()
        endpoint = self._new_endpoint(identity, values, secret)
        async with self._database.api_transaction(identity.org_id) as session:
            await self._require_room(session, identity, endpoint.id)
            new = await repository.add_endpoint(session, endpoint)
            found = await repository.get_endpoint(session, endpoint.id)
        return found, signing.shown(secret) if new else None

    def _new_endpoint(self, identity: Identity, values: Mapping[str, Any], secret: bytes) -> Endpoint:
        endpoint_id, now = new_id("hook", value=identity.new_id), utc_now()
        sealed = self._keyring.seal(secret, owner=owner(identity.org_id, endpoint_id))
        return Endpoint(
            id=endpoint_id,
            org_id=identity.org_id,
            secret_key_id=sealed.key_id,
            secret_box=sealed.box,
            created_by=identity.user_id,
            created_at=now,
            updated_at=now,
            **values,
        )

    async def _require_room(self, session: Session, identity: Identity, endpoint_id: str) -> None:
        most = ENDPOINTS_BY_PLAN.get(identity.plan, ENDPOINTS_BY_PLAN["free"])
        count = await repository.count_endpoints(session, identity.org_id)
        if count >= most and await repository.find_endpoint(session, endpoint_id) is None:
            raise Problem("limit_reached", f"The plan allows {most} webhooks.", hint="Delete one, or change the plan.")

    async def list_endpoints(self, org_id: str, *, before: int | None, most: int) -> Sequence[Endpoint]:
        async with self._database.api_transaction(org_id) as session:
            return await repository.list_endpoints(session, before=before, most=most)

    async def get_endpoint(self, org_id: str, endpoint_id: str) -> Endpoint:
        async with self._database.api_transaction(org_id) as session:
            return await repository.get_endpoint(session, endpoint_id)

    async def change_endpoint(self, org_id: str, endpoint_id: str, values: Mapping[str, Any]) -> Endpoint:
        """Change what is named; the last write wins."""
        await self._check(values)
        async with self._database.api_transaction(org_id) as session:
            endpoint = await repository.get_endpoint(session, endpoint_id, lock=True)
            for name, value in values.items():
                if name == "status":
                    endpoint.change_status(value)
                else:
                    setattr(endpoint, name, value)
            endpoint.updated_at = utc_now()
        return endpoint

    async def delete_endpoint(self, org_id: str, endpoint_id: str) -> None:
        """Nothing is sent there any more, and the secret is forgotten."""
        async with self._database.api_transaction(org_id) as session:
            endpoint = await repository.get_endpoint(session, endpoint_id, deleted=True, lock=True)
            endpoint.deleted_at = endpoint.deleted_at or utc_now()
            endpoint.secret_box = b""

    async def list_deliveries(self, org_id: str, endpoint_id: str, **filters: Any) -> Sequence[Any]:
        """Newest first."""
        async with self._database.api_transaction(org_id) as session:
            await repository.get_endpoint(session, endpoint_id)
            return await repository.list_deliveries(session, endpoint_id=endpoint_id, **filters)

    async def get_delivery(self, org_id: str, delivery_id: str) -> tuple[Delivery, StoredEvent, Sequence[Attempt]]:
        """A delivery, its event and all its attempts."""
        async with self._database.api_transaction(org_id) as session:
            delivery = await repository.get_delivery(session, delivery_id)
            event = await repository.get_event(session, delivery.event_id)
            return delivery, event, await repository.list_attempts(session, delivery_id)

    async def redeliver(self, identity: Identity, delivery_id: str) -> tuple[Delivery, StoredEvent, Sequence[Attempt]]:
        """Send it once more, soon, under the same id; the schedule of a pending one goes on beside it."""
        found = await self.get_delivery(identity.org_id, delivery_id)
        task_id = f"{delivery_id}/{identity.new_id or uuid7()}"
        task = Task(id=task_id, kind="redelivery", org_id=identity.org_id, lane=LANE, priority="interactive")
        async with self._database.transaction() as session:
            await self.queue.add(session, [task])
        return found

    async def forget_old(self) -> int:
        """Delete events nobody will ask for any more; answers how many."""
        now = utc_now()
        async with self._database.transaction() as session:
            return await repository.forget_events(
                session,
                unused_before=now - timedelta(days=UNUSED_EVENT_DAYS),
                all_before=now - timedelta(days=EVENT_DAYS),
                most=MOST_FORGOTTEN,
            )

    async def measure(self) -> None:
        """Gauges from the tables: the same in every replica."""
        async with self._database.transaction() as session:
            due, oldest = await repository.due_deliveries(session)
            statuses = await repository.endpoints_by_status(session)
        metrics.due_deliveries.set(due)
        metrics.oldest_due_seconds.set(oldest)
        for status in ("enabled", "paused", "disabled"):
            metrics.endpoints.labels(status).set(statuses.get(status, 0))

    async def _check(self, values: Mapping[str, Any]) -> None:
        if unknown := unknown_patterns(values.get("events", ())):
            hint = "See /v1/webhooks/event-types; job.* and * stand for many."
            raise Problem("unknown_event_type", f"There is no event type {unknown[0]}.", hint=hint)
        if "url" in values:
            await self._check_url(values["url"])

    async def _check_url(self, text: str) -> None:
        """An early answer; what counts is checked at every connect."""
        try:
            url = self._guard.check_url(text)
            self._guard.check_answers(url, await self._resolve(url.raw_host or "", url.port or 0))
        except UrlRefused as error:
            raise Problem("url_not_allowed", str(error)) from error
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Problem("url_not_allowed", "The host of the URL cannot be found.") from error


def owner(org_id: str, endpoint_id: str) -> str:
    """What a sealed secret is bound to."""
    return f"{org_id}/{endpoint_id}"


def _public(message: Message[Any]) -> list[PublicEvent]:
    return public_events(message.event, event_id=message.id, time=message.time)


def _grouped(drafts: Sequence[Draft], traces: Mapping[str, str | None]) -> dict[str | None, list[Draft]]:
    """By the trace of the event that started them, so that a job's trace goes on to its receivers."""
    groups: dict[str | None, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[traces[draft.event_id]].append(draft)
    return groups


def _task(draft: Draft) -> Task:
    return Task(id=draft.id, kind="delivery", org_id=draft.org_id, lane=LANE)


def _drafts(events: Sequence[PublicEvent], endpoints: Mapping[str, Sequence[Endpoint]]) -> list[Draft]:
    return [
        _draft(event, endpoint)
        for event in events
        for endpoint in endpoints.get(event.org_id, ())
        if endpoint.wants(name=event.type, project_id=event.project_id, metadata=event.metadata)
    ]


def _draft(event: PublicEvent, endpoint: Endpoint) -> Draft:
    """Endpoints that are paused or disabled keep the event, to be sent on request."""
    state: DeliveryState = "pending" if endpoint.status == "enabled" else "held"
    return Draft(derived_id("dlv", event.id, endpoint.id), event.org_id, event.id, endpoint.id, state)
