"""What can happen to a job, what the plan must know, and what it may ask for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fenta.contracts.events import Event


@dataclass(frozen=True)
class Authorized:
    revision: int
    hold: dict[str, int]
    prices: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    revision: int
    code: str
    message: str
    missing: dict[str, int]


@dataclass(frozen=True)
class Progressed:
    """A step's executor took its lease, or came further."""

    step_id: str
    progress: int


@dataclass(frozen=True)
class StepSucceeded:
    step_id: str
    outputs: dict[str, Any]
    assets: list[dict[str, Any]]
    usage: list[dict[str, Any]]
    started_at: datetime


@dataclass(frozen=True)
class StepFailedAt:
    step_id: str
    error: dict[str, Any]
    tries: list[dict[str, Any]]
    usage: list[dict[str, Any]]


@dataclass(frozen=True)
class CancelAsked:
    by: str | None
    reason: str = "user"


@dataclass(frozen=True)
class Woken:
    """Time has passed, or there is room."""


Happening = Authorized | Refused | Progressed | StepSucceeded | StepFailedAt | CancelAsked | Woken


@dataclass(frozen=True)
class Facts:
    """What the plan cannot know from the job.

    `results` maps fingerprints that were looked up to what they gave, or None; `room` is how many more steps of
    the organisation may be in flight; `may_run` says whether one more job may run.
    """

    now: datetime
    results: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    room: int = 1000
    may_run: bool = True


@dataclass(frozen=True)
class Publish:
    event: Event


@dataclass(frozen=True)
class LookUp:
    """Ask for earlier results of these fingerprints, then plan again. `scopes` says who may share each."""

    scopes: dict[str, str]


@dataclass(frozen=True)
class Remember:
    """Keep a result for later jobs."""

    fingerprint: str
    reusable: str
    step_id: str
    outputs: dict[str, Any]
    assets: list[dict[str, Any]]


Command = Publish | LookUp | Remember
