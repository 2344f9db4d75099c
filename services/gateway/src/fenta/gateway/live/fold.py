"""Which messages a channel takes: numbers only rise, progress is told once a second, nothing follows the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fenta.chassis.moments import written
from fenta.gateway.live.messages import FINAL, Body
from fenta.gateway.models import Channel

PROGRESS_SECONDS = 1.0
BEFORE_START = frozenset({"pending", "queued"})
ENDED = frozenset({"completed", "failed", "cancelled"})
JOB_PREFIX = "job:"


@dataclass(frozen=True)
class News:
    """A message on its way into a channel; `time` is the producer's, and orders what comes in one batch."""

    body: Body
    time: datetime

    @property
    def final(self) -> bool:
        return self.body["type"] in FINAL


def fold(channel: Channel, news: Sequence[News]) -> list[Body]:
    """Take what the channel takes, number it, and remember how far it is. Changes `channel`."""
    # Topics are read side by side, so a batch may hold the end before what led to it.
    ordered = sorted(news, key=lambda item: (item.final, item.time))
    return [_numbered(channel, item, body) for item in ordered if (body := _taken(channel, item)) is not None]


def _taken(channel: Channel, item: News) -> Body | None:
    if channel.ended_at is not None:
        return None
    if item.final:
        channel.ended_at = item.time
        return item.body
    kind = item.body["type"]
    if kind == "job.queued":
        return item.body if channel.last_seq == 0 else None
    if kind == "job.started":
        channel.state["started"] = True
    if kind == "job.progress":
        return _job_progress(channel.state, item) if _in_turn(channel.state, item.body["status"]) else None
    if kind == "step.progress":
        return _step_progress(channel.state, item)
    if kind in ("step.completed", "step.failed"):
        _steps(channel.state)[item.body["step_id"]] = {"progress": 100, "at": item.time.timestamp()}
    return item.body


def _in_turn(state: dict[str, Any], status: str) -> bool:
    """Numbers travel faster than what they follow: they announce neither the start nor the end."""
    return status not in ENDED and (status in BEFORE_START or state.get("started", False))


def _job_progress(state: dict[str, Any], item: News) -> Body | None:
    shown, at, body = state.get("progress", -1), state.get("at", 0.0), item.body
    now = item.time.timestamp()
    changed = body["status"] != state.get("status")
    if not changed and (body["progress"] <= shown or now - at < PROGRESS_SECONDS):
        return None
    if changed and now < at:
        return None
    state.update(progress=max(shown, body["progress"]), status=body["status"], at=now)
    return body | {"progress": state["progress"]}


def _step_progress(state: dict[str, Any], item: News) -> Body | None:
    steps, body, now = _steps(state), item.body, item.time.timestamp()
    seen = steps.get(body["step_id"])
    if seen is None:
        steps[body["step_id"]] = {"progress": body["progress"], "at": now}
        return body | {"type": "step.started"}
    if body["progress"] <= seen["progress"] or now - seen["at"] < PROGRESS_SECONDS:
        return None
    steps[body["step_id"]] = {"progress": body["progress"], "at": now}
    return body


def _steps(state: dict[str, Any]) -> dict[str, Any]:
    steps: dict[str, Any] = state.setdefault("steps", {})
    return steps


def _numbered(channel: Channel, item: News, body: Body) -> Body:
    channel.last_seq += 1
    job_id = channel.name.removeprefix(JOB_PREFIX)
    return {"channel": channel.name, "seq": channel.last_seq, "time": written(item.time), "job_id": job_id} | body
