"""At the end of a plan: has the job ended, how far is it, and what must be told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fenta.contracts.events import (
    CancellationRequested,
    Event,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobProgressed,
    JobStarted,
    JobWaiting,
    StepCompleted,
)
from fenta.contracts.phases import phase_of
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.advance import all_ended, progress_of
from fenta.workflow.plan.apply import fail
from fenta.workflow.plan.happenings import Command, Facts, Publish
from fenta.workflow.plan.inputs import ready
from fenta.workflow.plan.timers import BILLING_PATIENCE, LONGEST_WAIT, STOP_PATIENCE, wake_at
from fenta.workflow.plan.words import job_words, step_words


@dataclass(frozen=True)
class Snapshot:
    """How the job stood before; what differs afterwards is what must be told."""

    status: str
    progress: int
    steps: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> "Snapshot":
        return cls(job.status, job.progress, {step.id: step.status for step in job.steps})


def settle(job: Job, before: Snapshot, facts: Facts) -> list[Command]:
    _end(job, facts)
    job.progress = 100 if job.status == "completed" else max(job.progress, progress_of(job))
    job.updated_at = facts.now
    job.wake_at = wake_at(job, facts.now)
    return [Publish(event) for event in _told(job, before, facts)]


def _end(job: Job, facts: Facts) -> None:
    if job.status == "pending" and facts.now >= job.created_at + BILLING_PATIENCE:
        fail(job, facts, class_="transient", code="billing_unavailable", message="The credits could not be reserved.")
    if job.status in ("running", "waiting_for_budget") and all_ended(job):
        _finish(job, facts)
    patience_over = job.stopping_at is not None and facts.now >= job.stopping_at + STOP_PATIENCE
    if job.status in ("cancelling", "failing") and (not job.in_flight or patience_over):
        job.move_to("cancelled" if job.status == "cancelling" else "failed", facts.now)
    job.outputs = outputs_of(job)


def _finish(job: Job, facts: Facts) -> None:
    missing = [name for name, value in _expected(job).items() if value is None]
    if missing:
        message = f"The job made no {missing[0]}."
        fail(job, facts, class_="internal", code="output_missing", message=message)
    elif job.status == "running":
        job.move_to("completed", facts.now)


def _expected(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, reference in job.plan_graph.outputs.items():
        node_id, _, port = reference.partition(".")
        steps = job.of_node(node_id)
        values = [step.outputs.get(port) for step in steps if step.outputs.get(port) is not None]
        found[name] = values[0] if values else None
    return found


def outputs_of(job: Job) -> dict[str, Any]:
    """The named outputs that exist so far."""
    return {name: value for name, value in _expected(job).items() if value is not None}


def _told(job: Job, before: Snapshot, facts: Facts) -> list[Event]:
    events: list[Event] = []
    if before.status in ("pending", "queued") and job.started_at == facts.now:
        events.append(
            JobStarted(
                **job_words(job),
                source=job.source,
                metadata=job.labels,
                workflow_id=job.source.get("workflow_id"),
                started_at=facts.now,
            )
        )
    events += [_step_completed(job, step, facts) for step in job.steps if _newly_done(step, before)]
    if job.status != before.status:
        events += _status_told(job, facts)
    if job.status != before.status or job.progress != before.progress:
        events.append(_progressed(job, facts))
    return events


def _newly_done(step: Step, before: Snapshot) -> bool:
    return step.status in ("completed", "skipped") and before.steps.get(step.id) != step.status


def _step_completed(job: Job, step: Step, facts: Facts) -> Event:
    return StepCompleted(
        **step_words(job, step),
        status=step.status,
        outputs=step.outputs,
        reused_from=step.reused_from,
        started_at=step.started_at,
        completed_at=facts.now,
    )


def _status_told(job: Job, facts: Facts) -> list[Event]:
    match job.status:
        case "cancelling" | "failing":
            return [_stop(job)]
        case "waiting_for_budget":
            return [_waiting(job, facts)]
        case "completed":
            return [_completed(job, facts)]
        case "failed":
            retryable = (job.error or {}).get("class") not in ("invalid", "rejected")
            return [JobFailed(**_ending(job, facts), error=job.error, retryable=retryable)]
        case "cancelled":
            still_open = [step.id for step in job.in_flight]
            reason = {"reason": job.cancel_reason or "user", "by": job.cancelled_by}
            return [JobCancelled(**_ending(job, facts), **reason, open_steps=still_open)]
        case _:
            return []


def _stop(job: Job) -> Event:
    ids = [step.id for step in job.in_flight]
    reason = "cancelled" if job.status == "cancelling" else "failed"
    return CancellationRequested(**job_words(job), step_ids=ids, reason=reason)


def _waiting(job: Job, facts: Facts) -> Event:
    waiting = job.waiting or {}
    return JobWaiting(
        **job_words(job),
        metadata=job.labels,
        kind="budget",
        reason=waiting.get("reason", ""),
        needed=waiting.get("needed"),
        expires_at=facts.now + LONGEST_WAIT,
    )


def _ending(job: Job, facts: Facts) -> dict[str, Any]:
    return {
        **job_words(job),
        "source": job.source,
        "metadata": job.labels,
        "usage": job.spent,
        "usage_ids": job.usage_ids,
        "outputs": job.outputs,
        "ended_at": facts.now,
    }


def _completed(job: Job, facts: Facts) -> Event:
    began = job.started_at or job.created_at
    return JobCompleted(
        **_ending(job, facts),
        reused_steps=sum(step.reused_from is not None for step in job.steps),
        duration_ms=round((facts.now - began).total_seconds() * 1000),
    )


def _progressed(job: Job, facts: Facts) -> Event:
    return JobProgressed(
        **job_words(job),
        status=job.status,
        phase=phase_of(job.status),
        progress=job.progress,
        current_step=current_step(job),
        eta_ms=eta_ms(job, facts),
        spent=job.spent,
    )


def current_step(job: Job) -> str | None:
    """The key of what is being worked on: the one farthest along the graph."""
    if job.final:
        return None
    flying = sorted(job.in_flight, key=lambda step: (step.status == "running", step.position))
    if flying:
        return flying[-1].key
    return next((step.key for step in job.steps if step.status == "pending" and ready(job, step)), None)


def eta_ms(job: Job, facts: Facts) -> int | None:
    """From the pace so far; None while there is none.

    Weights are those of providers, so a long step at the end, such as a render, knows better by its own pace.
    """
    if job.final or not job.started_at or job.progress < 3:
        return None
    own = [_pace_ms(step.progressed_at, step.progress, facts) for step in job.in_flight]
    return max(_pace_ms(job.started_at, job.progress, facts), *own, 0)


def _pace_ms(began_at: datetime | None, progress: int, facts: Facts) -> int:
    """How long the rest takes if it goes on as before; 0 while too little is done to tell."""
    if began_at is None or progress < 3:
        return 0
    return round((facts.now - began_at).total_seconds() * (100 - progress) / progress * 1000)


__all__ = ["Snapshot", "current_step", "eta_ms", "outputs_of", "settle"]
