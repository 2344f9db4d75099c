"""Every event that crosses Kafka: CloudEvents data as pydantic models, one class per type and version."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from fenta.contracts.values import Asset, Contract, PortValue

Units = dict[str, int]


class Event(Contract):
    """Data of one CloudEvent. `topic` is its name and Kafka topic; the type adds the version: `topic.v1`."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1
    lossy: ClassVar[bool] = False

    org_id: str

    @classmethod
    def type_name(cls) -> str:
        return f"{cls.topic}.v{cls.version}"

    @property
    def key(self) -> str:
        """What Kafka keeps in order."""
        return self.org_id

    @property
    def subject(self) -> str:
        """The id of the thing the event tells of."""
        return self.org_id


class JobEvent(Event):
    """About one job of one organisation."""

    project_id: str | None = None
    job_id: str

    @property
    def key(self) -> str:
        return self.job_id

    @property
    def subject(self) -> str:
        return self.job_id


class StepEvent(JobEvent):
    """About one step of one job."""

    step_id: str
    step_key: str
    node_type: str
    step_type: str

    @property
    def subject(self) -> str:
        return self.step_id


class Evidence(Contract):
    """A stored picture in which a fault of this code can be seen, at this moment of the film of this aspect."""

    code: str
    aspect: str
    at_ms: int
    sha256: str
    media_type: str


class Mistake(Contract):
    """One of several things that are wrong: `pointer` is its place in the document that was given (RFC 6901)."""

    pointer: str
    code: str
    detail: str
    hint: str | None = None


class Problem(Contract):
    """Why something failed: `class` says who may repeat it, `code` is stable, `message` and `hint` are sentences."""

    class_: Literal[
        "transient", "provider", "unclear", "rejected", "budget", "invalid", "timeout", "cancelled", "internal"
    ] = Field(alias="class")
    code: str
    message: str
    hint: str | None = None
    step_key: str | None = None
    evidence: list[Evidence] = Field(default_factory=list)
    errors: list[Mistake] | None = None


class Caution(Contract):
    """Something about a result that one should know, though nothing failed: `code` is stable, `message` a sentence."""

    code: str
    message: str


class Try(Contract):
    """One attempt of an executor: which model, with which outcome."""

    model: str
    provider: str
    task_id: str | None = None
    code: str
    at: datetime


class UsageLine(Contract):
    usage_id: str
    unit: str
    quantity: int


class Source(Contract):
    """What a job was made from."""

    kind: Literal["brief", "script", "preset", "single", "template", "timeline", "workflow", "schedule", "retry"]
    workflow_id: str | None = None
    workflow_version: int | None = None
    preset_id: str | None = None
    schedule_id: str | None = None
    origin_job_id: str | None = None


class Range(Contract):
    low: int
    high: int


class JobEstimate(Contract):
    low: Units
    high: Units
    duration_ms: Range


# --- workflow ---------------------------------------------------------------------------------------------------------


class JobRequested(JobEvent):
    """Somebody wants this made; nothing is spent."""

    topic = "job.requested"

    root_job_id: str
    title: str
    requested_by: str
    source: Source
    metadata: dict[str, str] = Field(default_factory=dict)
    priority: Literal["interactive", "default", "batch"] = "default"
    on_budget: Literal["pause", "fail"] = "pause"
    max_cost_micros: int | None = None
    steps: Range
    estimate: JobEstimate
    requested_at: datetime
    deadline_at: datetime
    hold_expires_at: datetime


class HoldRequested(JobEvent):
    """More is needed than is held."""

    topic = "hold.requested"

    revision: int = Field(ge=2)
    hold: Units
    max_cost_micros: int | None = None
    approved_by: str | None = None


class JobStarted(JobEvent):
    """The job runs: its first steps go out."""

    topic = "job.started"

    source: Source
    metadata: dict[str, str] = Field(default_factory=dict)
    workflow_id: str | None = None
    started_at: datetime


class JobProgressed(JobEvent):
    """How far the job is; numbers only rise."""

    topic = "job.progressed"
    lossy = True

    status: str
    phase: str
    progress: int = Field(ge=0, le=100)
    current_step: str | None = None
    eta_ms: int | None = None
    spent: Units = Field(default_factory=dict)


class JobWaiting(JobEvent):
    """The job stands until a person decides or the balance allows more."""

    topic = "job.waiting"

    metadata: dict[str, str] = Field(default_factory=dict)
    kind: Literal["approval", "budget"]
    step_id: str | None = None
    reason: str
    needed: Units | None = None
    needed_micros: int | None = None
    expires_at: datetime


class JobEnded(JobEvent):
    """Common to the three endings."""

    source: Source
    metadata: dict[str, str] = Field(default_factory=dict)
    usage: Units = Field(default_factory=dict)
    usage_ids: list[str] = Field(default_factory=list)
    outputs: dict[str, PortValue] = Field(default_factory=dict)
    ended_at: datetime


class JobCompleted(JobEnded):
    """Every required output exists."""

    topic = "job.completed"

    reused_steps: int = 0
    duration_ms: int


class JobFailed(JobEnded):
    """The job ended without its required outputs."""

    topic = "job.failed"

    error: Problem
    retryable: bool


class JobCancelled(JobEnded):
    """Somebody or a rule stopped the job."""

    topic = "job.cancelled"

    reason: Literal["user", "rejected", "expired", "overlap"]
    by: str | None = None
    open_steps: list[str] = Field(default_factory=list)


class StepRequested(StepEvent):
    """One step goes out to its executor, once."""

    node_version: int
    params: dict[str, Any]
    inputs: dict[str, PortValue]
    models: list[str] = Field(default_factory=list)
    limit: Units = Field(default_factory=dict)
    lane: Literal["high", "default", "media"]
    priority: Literal["interactive", "default", "batch"] = "default"
    weight: int = Field(default=1, ge=1)
    expected_seconds: int = Field(ge=1)
    timeout_seconds: int = Field(ge=1)
    fingerprint: str


class GenerationRequested(StepRequested):
    """A provider is to make something."""

    topic = "generation.requested"


class RenderRequested(StepRequested):
    """A timeline is to be compiled or rendered."""

    topic = "render.requested"


class CancellationRequested(JobEvent):
    """Stop these steps, or all of the job when `step_ids` is null."""

    topic = "cancellation.requested"

    step_ids: list[str] | None = None
    reason: str


class StepCompleted(StepEvent):
    """The workflow took a step as completed or skipped."""

    topic = "step.completed"

    status: Literal["completed", "skipped"]
    outputs: dict[str, PortValue] = Field(default_factory=dict)
    reused_from: str | None = None
    started_at: datetime | None = None
    completed_at: datetime


# --- executors --------------------------------------------------------------------------------------------------------


class StepProgressed(StepEvent):
    """How far a step is. 0 says that its lease was taken."""

    topic = "step.progressed"
    lossy = True

    progress: int = Field(ge=0, le=100)
    phase_text: str = ""
    provider_state: str | None = None
    eta_ms: int | None = None


class StepFailed(StepEvent):
    """An executor gave up on a step, for good."""

    topic = "step.failed"

    error: Problem
    tries: list[Try] = Field(default_factory=list)
    usage: list[UsageLine] = Field(default_factory=list)


class StepResult(StepEvent):
    """Common to the answers that carry a result."""

    outputs: dict[str, PortValue]
    assets: list[Asset]
    usage: list[UsageLine] = Field(default_factory=list)
    started_at: datetime
    completed_at: datetime
    late: bool = False


class AssetGenerated(StepResult):
    """One step's result is stored and usable; `assets[0]` is the main one."""

    topic = "asset.generated"


class RenderedFile(Contract):
    aspect: str
    resolution: str
    width: int
    height: int
    fps: int
    codec: str
    encoder: str = "libx264"
    duration_ms: int
    video_asset_id: str
    thumbnail_asset_id: str | None = None
    sidecars: dict[str, str] = Field(default_factory=dict)
    previews: dict[str, str] = Field(default_factory=dict)


class RenderChecks(Contract):
    """What the check after the render measured."""

    passed: bool
    duration_error_ms: int
    loudness_lufs: float | None = None
    black_ms: int = 0
    frozen_ms: int = 0
    silent_ms: int = 0
    caption_coverage: float = 1.0


class RenderCompleted(StepResult):
    """Finished files exist and passed their checks."""

    topic = "render.completed"

    timeline: dict[str, str]
    renders: list[RenderedFile]
    encoded_ms: int
    cached_ms: int = 0
    checks: RenderChecks
    warnings: list[Caution] = Field(default_factory=list)


class UsageRecorded(Event):
    """This organisation used this much of one unit. Prices are billing's matter."""

    topic = "usage.recorded"

    usage_id: str
    project_id: str | None = None
    job_id: str | None = None
    step_id: str | None = None
    node_type: str | None = None
    unit: str
    quantity: int
    occurred_at: datetime
    late: bool = False
    detail: dict[str, Any] = Field(default_factory=dict)

    @property
    def subject(self) -> str:
        return self.usage_id


# --- billing ----------------------------------------------------------------------------------------------------------


class JobAuthorized(JobEvent):
    """The hold of this revision is posted; prices are frozen for the job."""

    topic = "job.authorized"

    revision: int = Field(ge=1)
    hold: Units
    cost_limit_micros: int
    unit_prices_micros: dict[str, int]
    price_version: str
    expires_at: datetime


class JobRefused(JobEvent):
    """No hold: `code` says why, `missing` how much."""

    topic = "job.refused"

    revision: int = Field(ge=1)
    code: str
    missing: Units = Field(default_factory=dict)
    message: str


class BudgetExceeded(Event):
    """More was captured than was held."""

    topic = "budget.exceeded"

    scope: Literal["job", "org"]
    job_id: str | None = None
    unit: str
    over: int
    limit_micros: int
    spent_micros: int


# --- gateway ----------------------------------------------------------------------------------------------------------


class OrgCreated(Event):
    """A new organisation exists."""

    topic = "org.created"

    slug: str
    owner_user_id: str


def _concrete(parent: type[Event]) -> list[type[Event]]:
    found = [parent] if "topic" in parent.__dict__ else []
    return found + [event for child in parent.__subclasses__() for event in _concrete(child)]


EVENTS: dict[str, type[Event]] = {event.type_name(): event for event in _concrete(Event)}
