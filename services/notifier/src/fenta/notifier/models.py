"""The tables of notifier, and the transitions they allow."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, FetchedValue, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column

from fenta.chassis.database import Base
from fenta.chassis.errors import FentaError
from fenta.notifier.event_types import wanted
from fenta.notifier.sender import Outcome

EndpointStatus = Literal["enabled", "paused", "disabled"]
DeliveryState = Literal["pending", "delivered", "failed", "held"]
Trigger = Literal["schedule", "manual", "test"]

FAILING_DAYS = 5


class WrongState(FentaError):
    """A row was asked for a transition that its state does not allow."""


class Endpoint(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A subscriber's URL. A deleted one keeps its row, so that deleting twice answers alike."""

    __tablename__ = "endpoint"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]]
    secret_key_id: Mapped[str] = mapped_column(Text)
    secret_box: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    description: Mapped[str] = mapped_column(Text, default="")
    filters: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    status: Mapped[EndpointStatus] = mapped_column(Text, default="enabled")
    disabled_reason: Mapped[str | None] = mapped_column(Text, default=None)
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    number: Mapped[int] = mapped_column(BigInteger, FetchedValue(), init=False)

    def wants(self, *, name: str, project_id: str | None, metadata: dict[str, str]) -> bool:
        """Whether an event of this type, project and metadata is for this endpoint."""
        projects = self.filters.get("project_ids")
        pairs = self.filters.get("metadata") or {}
        return (
            wanted(name, self.events)
            and (not projects or project_id in projects)
            and all(metadata.get(key) == value for key, value in pairs.items())
        )

    def succeed(self) -> None:
        self.failing_since = None

    def fail(self, now: datetime) -> None:
        """Note a failure; after days of nothing else the endpoint is disabled."""
        self.failing_since = self.failing_since or now
        if self.status == "enabled" and now - self.failing_since >= timedelta(days=FAILING_DAYS):
            self.disable(f"nothing but failures for {FAILING_DAYS} days", now)

    def disable(self, reason: str, now: datetime) -> None:
        self.status, self.disabled_reason, self.updated_at = "disabled", reason, now

    def change_status(self, status: EndpointStatus) -> None:
        """Its owner decides; enabling forgives what was."""
        self.status, self.disabled_reason = status, None
        if status == "enabled":
            self.failing_since = None


class StoredEvent(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A public event as it is signed and sent: its bytes never change."""

    __tablename__ = "event"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    source_event_id: Mapped[UUID | None]
    type: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    project_id: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    occurred_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(FetchedValue(), init=False)


class Delivery(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One event for one endpoint. `tries` counts the attempts of the schedule that came to an end."""

    __tablename__ = "delivery"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text, ForeignKey("event.id", ondelete="CASCADE"))
    endpoint_id: Mapped[str] = mapped_column(Text, ForeignKey("endpoint.id", ondelete="CASCADE"))
    state: Mapped[DeliveryState] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=None)
    number: Mapped[int] = mapped_column(BigInteger, FetchedValue(), init=False)

    def begin_attempt(self) -> int:
        """Answers the number of the attempt that begins."""
        self.attempts += 1
        self.next_attempt_at = None
        return self.attempts

    def deliver(self, now: datetime) -> None:
        self.state, self.updated_at, self.next_attempt_at = "delivered", now, None

    def wait(self, until: datetime, now: datetime) -> None:
        """Stay pending until the next attempt."""
        self._require("pending")
        self.next_attempt_at, self.updated_at = until, now

    def give_up(self, now: datetime) -> None:
        self._require("pending", "held")
        self.state, self.updated_at, self.next_attempt_at = "failed", now, None

    def hold(self, now: datetime) -> None:
        """The endpoint is not enabled: keep the event, send nothing."""
        self._require("pending")
        self.state, self.updated_at, self.next_attempt_at = "held", now, None

    def _require(self, *states: DeliveryState) -> None:
        if self.state not in states:
            raise WrongState(f"delivery {self.id} is {self.state}, not {' or '.join(states)}")


class Attempt(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One HTTP try. It is written before anything is sent; without `finished_at` its end is unknown."""

    __tablename__ = "attempt"

    delivery_id: Mapped[str] = mapped_column(Text, ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(Text)
    task_id: Mapped[str | None] = mapped_column(Text)
    trigger: Mapped[Trigger] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, str]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    status: Mapped[int | None] = mapped_column(default=None)
    cause: Mapped[str | None] = mapped_column(Text, default=None)
    answer: Mapped[str] = mapped_column(Text, default="")
    latency_ms: Mapped[int | None] = mapped_column(default=None)

    def end(self, outcome: Outcome, now: datetime) -> None:
        """Note what came of it."""
        if self.finished_at is not None:
            raise WrongState(f"attempt {self.number} of {self.delivery_id} has ended")
        self.finished_at = now
        self.status, self.cause = outcome.status or None, outcome.cause or None
        self.answer, self.latency_ms = outcome.answer, outcome.latency_ms
