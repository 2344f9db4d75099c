"""What a live message says of an event; presigned links are named by hash and made when the message is sent."""

from collections.abc import Callable, Iterable
from typing import Any

from fenta.chassis.moments import written
from fenta.contracts.events import (
    AssetGenerated,
    Event,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobProgressed,
    JobRequested,
    JobStarted,
    JobWaiting,
    RenderCompleted,
    StepCompleted,
    StepEvent,
    StepFailed,
    StepProgressed,
)
from fenta.contracts.phases import phase_of
from fenta.contracts.values import PortValue, Value

Body = dict[str, Any]

LINKS = "links"
FINAL = frozenset({"job.completed", "job.failed", "job.cancelled"})


def messages_of(event: Event) -> list[Body]:
    """The messages an event gives, without number and time; none for events that nobody follows."""
    make = _MAKERS.get(type(event))
    return make(event) if make else []


def _status(status: str) -> Body:
    return {"status": status, "phase": phase_of(status)}


def _requested(event: JobRequested) -> list[Body]:
    return [{"type": "job.queued", "title": event.title, "progress": 0} | _status("pending")]


def _started(event: JobStarted) -> list[Body]:
    return [{"type": "job.started", "started_at": written(event.started_at)} | _status("running")]


def _progressed(event: JobProgressed) -> list[Body]:
    body: Body = {
        "type": "job.progress",
        "progress": event.progress,
        "current_step": event.current_step,
        "status": event.status,
        "phase": event.phase,
    }
    return [body | ({"eta_seconds": round(event.eta_ms / 1000, 3)} if event.eta_ms is not None else {})]


def _waiting(event: JobWaiting) -> list[Body]:
    status = "waiting_for_approval" if event.kind == "approval" else "waiting_for_budget"
    body = {"type": "job.waiting", "kind": event.kind, "step_id": event.step_id, "reason": event.reason}
    return [body | {"needed": event.needed, "expires_at": written(event.expires_at)} | _status(status)]


def _completed(event: JobCompleted) -> list[Body]:
    video, thumbnail = _single(event.outputs.get("video")), _single(event.outputs.get("thumbnail"))
    links = {"video_url": _hash(video), "thumbnail_url": _hash(thumbnail)}
    body = {"type": "job.completed", "progress": 100, "outputs": _named(event.outputs), "usage": event.usage}
    return [body | {"duration_seconds": round(event.duration_ms / 1000, 3), LINKS: links} | _status("completed")]


def _failed(event: JobFailed) -> list[Body]:
    error = event.error
    body = {"type": "job.failed", "error": error.message, "code": error.code, "hint": error.hint}
    return [body | {"step_key": error.step_key, "retryable": event.retryable} | _status("failed")]


def _cancelled(event: JobCancelled) -> list[Body]:
    return [{"type": "job.cancelled", "reason": event.reason} | _status("cancelled")]


def _step(event: StepEvent, kind: str) -> Body:
    return {"type": f"step.{kind}", "step_id": event.step_id, "step_key": event.step_key, "step_type": event.step_type}


def _step_progressed(event: StepProgressed) -> list[Body]:
    body = _step(event, "progress") | {"progress": event.progress, "phase_text": event.phase_text}
    return [body | ({"eta_seconds": round(event.eta_ms / 1000, 3)} if event.eta_ms is not None else {})]


def _step_completed(event: StepCompleted) -> list[Body]:
    body = _step(event, "completed") | {"status": event.status, "reused": event.reused_from is not None}
    first = next((value for value in map(_single, event.outputs.values()) if _hash(value)), None)
    return [body | {"progress": 100, LINKS: {"result_url": _hash(first)}}]


def _step_failed(event: StepFailed) -> list[Body]:
    error = event.error
    return [_step(event, "failed") | {"error": error.message, "code": error.code, "hint": error.hint}]


def _assets(event: AssetGenerated | RenderCompleted) -> list[Body]:
    return [
        {
            "type": "asset.created",
            "asset_id": asset.asset_id,
            "asset_kind": asset.kind,
            "content_type": asset.media_type,
            "step_id": event.step_id,
            "step_key": event.step_key,
            LINKS: {"url": asset.sha256},
        }
        for asset in event.assets
    ]


def _rendered(event: RenderCompleted) -> list[Body]:
    warnings = [
        _step(event, "warning") | {"code": warning.code, "message": warning.message} for warning in event.warnings
    ]
    return [*_assets(event), *warnings]


_MAKERS: dict[type[Event], Callable[[Any], list[Body]]] = {
    JobRequested: _requested,
    JobStarted: _started,
    JobProgressed: _progressed,
    JobWaiting: _waiting,
    JobCompleted: _completed,
    JobFailed: _failed,
    JobCancelled: _cancelled,
    StepProgressed: _step_progressed,
    StepCompleted: _step_completed,
    StepFailed: _step_failed,
    AssetGenerated: _assets,
    RenderCompleted: _rendered,
}
TOLD = tuple(_MAKERS)


def _single(value: PortValue | None) -> Value | None:
    if isinstance(value, list):
        return value[0].value if value else None
    return value


def _hash(value: Value | None) -> str | None:
    """The object behind a value; an item of a document and an inline value have none of their own."""
    return value.sha256 if value and value.asset_id and value.key is None else None


def _named(outputs: dict[str, PortValue]) -> list[Body]:
    return [line for name, value in outputs.items() for line in _lines(name, value)]


def _lines(name: str, value: PortValue) -> Iterable[Body]:
    values = [entry.value for entry in value] if isinstance(value, list) else [value]
    return [{"name": name, "asset_id": each.asset_id} for each in values if each.asset_id]
