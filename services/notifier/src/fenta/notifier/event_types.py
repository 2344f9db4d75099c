"""Which public events follow from an event of a topic, and their bodies, byte for byte."""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fenta.chassis.moments import written
from fenta.contracts.events import (
    AssetGenerated,
    Event,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRequested,
    JobStarted,
    RenderCompleted,
    StepFailed,
)

LARGEST_BODY_BYTES = 64 * 1024
BUILT_IN = "fenta/"


def _always(_event: Any) -> bool:
    return True


def _of_workflow(event: Any) -> bool:
    """Whether the job was made from a workflow that somebody saved; our own graphs are none."""
    name = event.source.workflow_id
    return event.source.kind == "workflow" or (name is not None and not name.startswith(BUILT_IN))


def _of_render(event: Any) -> bool:
    return bool(event.node_type == "Output.Render")


@dataclass(frozen=True)
class EventType:
    """One public type: from which events it is made, and which of them count."""

    name: str
    description: str
    sources: tuple[type[Event], ...]
    applies: Callable[[Any], bool] = _always


ENDINGS = (JobCompleted, JobFailed, JobCancelled)

EVENT_TYPES: dict[str, EventType] = {
    event_type.name: event_type
    for event_type in (
        EventType("job.requested", "A job was asked for; nothing is spent yet.", (JobRequested,)),
        EventType("job.started", "The first steps of a job go out.", (JobStarted,)),
        EventType("job.completed", "Every required output of a job exists.", (JobCompleted,)),
        EventType("job.failed", "A job ended without its required outputs.", (JobFailed,)),
        EventType("job.cancelled", "Somebody or a rule stopped a job.", (JobCancelled,)),
        EventType("workflow.run.started", "A job of a saved workflow started.", (JobStarted,), _of_workflow),
        EventType("workflow.run.finished", "A job of a saved workflow ended, one way or other.", ENDINGS, _of_workflow),
        EventType("render.succeeded", "Finished files are there and checked.", (RenderCompleted,)),
        EventType("render.failed", "The render step gave up.", (StepFailed,), _of_render),
        EventType("asset.created", "New assets of one step are ready.", (AssetGenerated,)),
    )
}

SOURCES: tuple[type[Event], ...] = tuple(
    dict.fromkeys(source for event_type in EVENT_TYPES.values() for source in event_type.sources)
)


@dataclass(frozen=True)
class PublicEvent:
    """What subscribers are told: the same id and the same bytes for everybody, every time."""

    id: str
    type: str
    org_id: str
    project_id: str | None
    subject: str
    metadata: dict[str, str]
    occurred_at: datetime
    body: bytes
    source_event_id: str | None = None


def public_events(event: Event, *, event_id: str, time: str) -> list[PublicEvent]:
    """One event of a topic may be several public ones; each has its own id, which follows from both."""
    fitting = [name for name, kind in EVENT_TYPES.items() if isinstance(event, kind.sources) and kind.applies(event)]
    return [_public(event, name, event_id, _moment(time)) for name in fitting]


def _public(event: Event, name: str, event_id: str, occurred_at: datetime) -> PublicEvent:
    return make_event(
        id_=f"evt_{uuid.uuid5(uuid.UUID(event_id), name)}",
        name=name,
        org_id=event.org_id,
        project_id=getattr(event, "project_id", None),
        subject=event.subject,
        metadata=getattr(event, "metadata", {}),
        occurred_at=occurred_at,
        data=data_of(event),
        source_event_id=event_id,
    )


def make_event(
    *,
    id_: str,
    name: str,
    org_id: str,
    subject: str,
    occurred_at: datetime,
    data: dict[str, Any],
    project_id: str | None = None,
    metadata: dict[str, str] | None = None,
    source_event_id: str | None = None,
) -> PublicEvent:
    head = {
        "id": id_,
        "type": name,
        "version": 1,
        "timestamp": written(occurred_at),
        "org_id": org_id,
        "project_id": project_id,
        "subject": subject,
    }
    return PublicEvent(
        id_, name, org_id, project_id, subject, metadata or {}, occurred_at, body_of(head, data), source_event_id
    )


def body_of(head: dict[str, Any], data: dict[str, Any]) -> bytes:
    """The bytes that are stored, signed and sent; too large a body carries the ids of its data only."""
    body = _json({**head, "data": data})
    if len(body) <= LARGEST_BODY_BYTES:
        return body
    ids = {name: value for name, value in data.items() if name.endswith("_id") and isinstance(value, str)}
    return _json({**head, "data": ids})


def data_of(event: Event) -> dict[str, Any]:
    """The topic's payload without what the head says already, and without prompts."""
    data = event.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"org_id", "project_id"})
    for asset in data.get("assets", []):
        asset.get("lineage", {}).pop("parameters", None)
    return data


def matches(pattern: str, name: str) -> bool:
    """`*` is every type, `job.*` every type that begins so, anything else is one name."""
    return pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1]))


def unknown_patterns(patterns: Iterable[str]) -> list[str]:
    """Patterns that no type will ever match."""
    return [pattern for pattern in patterns if not any(matches(pattern, name) for name in EVENT_TYPES)]


def wanted(name: str, patterns: Sequence[str]) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(time: str) -> datetime:
    """The producer's time; a message without one happened when it was read."""
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return datetime.now(UTC)
