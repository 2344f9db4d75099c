"""When a job must be looked at again although nothing happens."""

from datetime import datetime, timedelta

from fenta.workflow.models import Job, Step

BILLING_PATIENCE = timedelta(minutes=10)
STOP_PATIENCE = timedelta(minutes=20)
ANSWER_PATIENCE = timedelta(seconds=60)
LEASE_PATIENCE = timedelta(hours=2)
LONGEST_JOB = timedelta(hours=6)
LONGEST_WAIT = timedelta(days=7)
ROOM_PAUSE = timedelta(seconds=5)


def step_deadline(job: Job, step: Step) -> datetime | None:
    """After the lease its own time and a minute; before it two hours."""
    if step.progressed_at:
        node = job.plan_graph.by_id[step.node_id]
        seconds = node.settings.timeout_seconds or node.kind.timeout_seconds
        return step.progressed_at + timedelta(seconds=seconds) + ANSWER_PATIENCE
    return step.requested_at + LEASE_PATIENCE if step.requested_at else None


def overdue_steps(job: Job, now: datetime) -> list[Step]:
    return [step for step in job.in_flight if (deadline := step_deadline(job, step)) and deadline <= now]


def wake_at(job: Job, now: datetime) -> datetime | None:
    """The earliest moment at which time itself changes something."""
    if job.final:
        return None
    moments = [job.deadline_at, *(step_deadline(job, step) for step in job.in_flight)]
    if job.status == "pending":
        moments.append(job.created_at + BILLING_PATIENCE)
    if job.stopping_at:
        moments.append(job.stopping_at + STOP_PATIENCE)
    if job.status == "queued" or any(step.status == "pending" for step in job.steps):
        # It may be waiting for room, which frees when another job of the organisation moves.
        moments.append(now + ROOM_PAUSE)
    return min(moment for moment in moments if moment)
