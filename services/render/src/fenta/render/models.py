"""The tables of render, and the transitions a render allows."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column

from fenta.chassis.database import Base
from fenta.chassis.errors import FentaError
from fenta.contracts.events import Problem, RenderRequested, Try
from fenta.contracts.ids import derived_id

Status = Literal["queued", "running", "completed", "failed", "cancelled"]
FINAL = frozenset({"completed", "failed", "cancelled"})
# Who asks by the internal API has no organisation, and no job that waits for an answer.
INTERNAL_ORG = "org_00000000-0000-0000-0000-000000000000"


class WrongState(FentaError):
    """A render was asked for a transition that its status does not allow."""


class Render(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One requested step and its one answer. `result` and `error` are what the answer said.

    `progress` is in per cent and never falls.
    """

    __tablename__ = "render"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    job_id: Mapped[str] = mapped_column(Text)
    step_id: Mapped[str] = mapped_column(Text, unique=True)
    node_type: Mapped[str] = mapped_column(Text)
    status: Mapped[Status] = mapped_column(Text)
    request: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    progress: Mapped[int] = mapped_column(default=0)
    tries: Mapped[list[dict[str, Any]]] = mapped_column(default_factory=list)
    result: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    error: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    completed_at: Mapped[datetime | None] = mapped_column(default=None)

    @classmethod
    def requested(cls, event: RenderRequested, now: datetime) -> "Render":
        return cls(
            id=derived_id("rnd", event.step_id, "render"),
            org_id=event.org_id,
            job_id=event.job_id,
            step_id=event.step_id,
            node_type=event.node_type,
            status="queued",
            request=event.model_dump(mode="json", by_alias=True),
            created_at=now,
        )

    @property
    def event(self) -> RenderRequested:
        return RenderRequested.model_validate(self.request)

    @property
    def is_internal(self) -> bool:
        return self.org_id == INTERNAL_ORG

    def start(self, now: datetime) -> None:
        """A worker has it; one that comes after a dead one keeps the first start."""
        self._require("queued", "running")
        self.status, self.started_at = "running", self.started_at or now

    def note(self, attempt: Try) -> None:
        self._require("queued", "running")
        self.tries = [*self.tries, attempt.model_dump(mode="json")]

    def complete(self, result: dict[str, Any], now: datetime) -> None:
        self._require("running")
        self.status, self.result, self.completed_at, self.progress = "completed", result, now, 100

    def fail(self, error: Problem, now: datetime) -> None:
        self._require("queued", "running")
        self.status, self.error, self.completed_at = "failed", error.model_dump(mode="json", by_alias=True), now

    def cancel(self, error: Problem, now: datetime) -> None:
        self.fail(error, now)
        self.status = "cancelled"

    def _require(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise WrongState(f"render {self.id} is {self.status}, not {' or '.join(statuses)}")


class Segment(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A finished part of a film that may be used again; `seen` is what the worker answered when it was made."""

    __tablename__ = "segment"

    org_id: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    sha256: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[dict[str, Any]]
    paid: Mapped[bool]
    used_at: Mapped[datetime]


class Piece(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A segment that a render waits for, while the task `task_id` makes it; it goes when the render ends.

    `frames` is how far it is. When it has `ended`, it is among the finished segments, or `problem` says why not. Once
    it ran out of memory it is made `alone`.
    """

    __tablename__ = "piece"

    step_id: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    task_id: Mapped[str] = mapped_column(Text)
    frames: Mapped[int] = mapped_column(default=0)
    ended: Mapped[bool] = mapped_column(default=False)
    alone: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    problem: Mapped[dict[str, Any] | None] = mapped_column(default=None)


class Template(MappedAsDataclass, Base, kw_only=True, eq=False):
    """An organisation's template; `version` is the number of its newest one."""

    __tablename__ = "template"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class TemplateVersion(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One save of a template. It never changes."""

    __tablename__ = "template_version"

    template_id: Mapped[str] = mapped_column(ForeignKey("template.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]]
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Stop(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A job, or one step of it, was told to stop. It stays, since the request may come after it."""

    __tablename__ = "stop"

    job_id: Mapped[str] = mapped_column(Text, primary_key=True)
    step_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
