"""The table of provider tasks: one row per step, and the transitions it allows."""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column

from fenta.chassis.database import Base
from fenta.chassis.errors import FentaError
from fenta.contracts.events import GenerationRequested, Try
from fenta.generation.providers import ProviderError

State = Literal["accepted", "submitting", "unclear", "submitted", "fetched", "answered", "failed", "cancelled"]

# From `submitted` back to `accepted` leads the next model of the chain; from `submitting` a refusal that sent nothing.
_NEXT: dict[State, frozenset[State]] = {
    "accepted": frozenset({"submitting", "fetched", "failed", "cancelled"}),
    "submitting": frozenset({"submitted", "unclear", "accepted", "failed", "cancelled"}),
    "unclear": frozenset({"submitted", "accepted", "failed", "cancelled"}),
    "submitted": frozenset({"fetched", "accepted", "failed", "cancelled"}),
    "fetched": frozenset({"answered", "failed", "cancelled"}),
    "answered": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}


class WrongState(FentaError):
    """A task was asked for a transition that its state does not allow."""


class ProviderTask(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One step at work. It is stored before anything is sent, and its provider's task id before the first poll.

    `event` is the request as it came; `request` what was, or will be, sent to `model`; `result` the answer's parts.
    """

    __tablename__ = "provider_task"

    step_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    job_id: Mapped[str] = mapped_column(Text)
    state: Mapped[State] = mapped_column(Text)
    event: Mapped[dict[str, Any]]
    accepted_at: Mapped[datetime]
    provider: Mapped[str | None] = mapped_column(Text, default=None)
    model: Mapped[str | None] = mapped_column(Text, default=None)
    chain_position: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    request: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    provider_task_id: Mapped[str | None] = mapped_column(Text, default=None)
    tries: Mapped[list[dict[str, Any]]] = mapped_column(default_factory=list)
    result: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    unclear_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def asked(self) -> GenerationRequested:
        return GenerationRequested.model_validate(self.event)

    @property
    def chain(self) -> list[str]:
        return self.asked.models

    def start(self, now: datetime) -> bool:
        """Answers whether this is the first time that a worker has it in hand."""
        first = self.started_at is None
        self.started_at = self.started_at or now
        return first

    def is_overdue(self, now: datetime) -> bool:
        started = self.started_at or now
        return now > started + timedelta(seconds=self.asked.timeout_seconds)

    def intend(self, *, provider: str, model: str, request: dict[str, Any]) -> None:
        """Remember what is going to be sent; from here on nobody knows whether it was."""
        self._move("submitting")
        self.provider, self.model, self.request = provider, model, request

    def doubt(self, now: datetime) -> None:
        """It may have been sent: only asking will tell."""
        if self.state != "unclear":
            self._move("unclear")
        self.unclear_at = self.unclear_at or now

    def adopt(self, provider_task_id: str) -> None:
        """The provider has it, under this id."""
        self._move("submitted")
        self.provider_task_id = provider_task_id

    def try_again(self, *, next_model: bool) -> None:
        """Nothing is at work any more: the same model later, or the next one now."""
        self._move("accepted")
        self.provider_task_id, self.unclear_at = None, None
        self.failures = 0 if next_model else self.failures + 1
        self.chain_position += int(next_model)

    def keep(self, result: dict[str, Any]) -> None:
        """The bytes are in our storage."""
        self._move("fetched")
        self.result = result

    def end(self, state: Literal["answered", "failed", "cancelled"], now: datetime) -> None:
        self._move(state)
        self.ended_at = now

    def note(self, error: ProviderError, now: datetime) -> None:
        """Remember a try that did not work; every one of them is told in the end."""
        attempt = Try(
            model=self.model or "", provider=self.provider or "", task_id=self.provider_task_id, code=error.code, at=now
        )
        self.tries = [*self.tries, attempt.model_dump(mode="json")]

    def _move(self, state: State) -> None:
        if state not in _NEXT[self.state]:
            raise WrongState(f"{self.step_id} is {self.state} and cannot become {state}")
        self.state = state


class Cancellation(MappedAsDataclass, Base, kw_only=True, eq=False):
    """A cancellation that came before its request: the request is answered at once. `step_id` "" means all of a job."""

    __tablename__ = "cancellation"

    job_id: Mapped[str] = mapped_column(Text, primary_key=True)
    step_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class MadeDocument(MappedAsDataclass, Base, kw_only=True, eq=False):
    """Documents that were made here, so that an item of one can be read by the document's asset id."""

    __tablename__ = "made_document"

    asset_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
