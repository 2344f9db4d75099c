"""A happening changes the job; a repeat changes nothing, the impossible is refused aloud."""

from fenta.chassis.errors import PermanentError
from fenta.contracts import units
from fenta.contracts.events import StepFailed
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.happenings import (
    Authorized,
    CancelAsked,
    Command,
    Facts,
    Happening,
    Progressed,
    Publish,
    Refused,
    Remember,
    StepFailedAt,
    StepSucceeded,
    Woken,
)
from fenta.workflow.plan.timers import overdue_steps
from fenta.workflow.plan.words import step_words


def apply(job: Job, happening: Happening, facts: Facts) -> list[Command]:
    """Answers what must be remembered; everything else follows from the job's state."""
    match happening:
        case Authorized():
            _authorized(job, happening, facts)
        case Refused():
            _refused(job, happening, facts)
        case Progressed():
            _progressed(_step(job, happening.step_id), happening, facts)
        case StepSucceeded():
            return _succeeded(job, _step(job, happening.step_id), happening, facts)
        case StepFailedAt():
            _failed(job, _step(job, happening.step_id), happening, facts)
        case CancelAsked():
            _cancel(job, happening, facts)
        case Woken():
            return _watch(job, facts)
    return []


def _step(job: Job, step_id: str) -> Step:
    """A step's row commits together with its request, so an answer can never come before it."""
    for step in job.steps:
        if step.id == step_id:
            return step
    raise PermanentError(f"job {job.id} has no step {step_id}")


def _authorized(job: Job, happening: Authorized, facts: Facts) -> None:
    if happening.revision <= job.revision or job.final:
        return
    job.revision = happening.revision
    job.hold = happening.hold
    job.prices = happening.prices
    if job.status == "pending":
        job.move_to("queued", facts.now)
    elif job.status == "waiting_for_budget":
        job.waiting = None
        job.move_to("running", facts.now)


def _refused(job: Job, happening: Refused, facts: Facts) -> None:
    if happening.revision <= job.revision or job.final:
        return
    if job.status == "pending":
        fail(job, facts, class_="budget", code=happening.code, message=happening.message)
    elif job.status in ("running", "waiting_for_budget"):
        job.waiting = {"kind": "budget", "needed": happening.missing, "reason": happening.message}


def _progressed(step: Step, happening: Progressed, facts: Facts) -> None:
    if step.final or not step.in_flight:
        return
    if step.status == "queued":
        step.move_to("running", facts.now)
        step.progressed_at = facts.now
    step.progress = max(step.progress, min(happening.progress, 99))


def _succeeded(job: Job, step: Step, happening: StepSucceeded, facts: Facts) -> list[Command]:
    remember = _remember(step, happening)
    if step.final:
        # It came too late for the job, or for the second time; a later job of the family may still use it.
        return remember
    step.outputs = happening.outputs
    step.assets = happening.assets
    step.usage = happening.usage
    step.started_at = happening.started_at
    step.move_to("completed", facts.now)
    return remember


def _remember(step: Step, happening: StepSucceeded) -> list[Command]:
    if not step.fingerprint or not step.reusable:
        return []
    return [Remember(step.fingerprint, step.reusable, step.id, happening.outputs, happening.assets)]


def _failed(job: Job, step: Step, happening: StepFailedAt, facts: Facts) -> None:
    if step.final:
        return
    step.error = happening.error
    step.tries = happening.tries
    step.usage = happening.usage
    if happening.error["class"] == "cancelled":
        step.move_to("cancelled", facts.now)
    elif job.plan_graph.by_id[step.node_id].settings.on_error == "skip":
        step.move_to("skipped", facts.now)
    else:
        step.move_to("failed", facts.now)
        begin_failing(job, facts, {**happening.error, "step_key": step.key})


def _cancel(job: Job, happening: CancelAsked, facts: Facts) -> None:
    if job.final or job.status in ("cancelling", "failing"):
        return
    job.cancel_reason = happening.reason
    job.cancelled_by = happening.by
    drop_pending(job, facts)
    job.move_to("cancelling" if job.in_flight else "cancelled", facts.now)


def _watch(job: Job, facts: Facts) -> list[Command]:
    """The net below the executors: answers for those that stayed silent, and ends what has lasted too long."""
    commands: list[Command] = []
    for step in overdue_steps(job, facts.now):
        error = {"class": "timeout", "code": "step_timeout", "message": f"{step.key} gave no answer in time."}
        commands.append(Publish(StepFailed.model_validate({**step_words(job, step), "error": error})))
        _failed(job, step, StepFailedAt(step.id, error, [], []), facts)
    if not job.final and job.status not in ("cancelling", "failing") and facts.now >= job.deadline_at:
        message = "The job did not end in time."
        begin_failing(job, facts, {"class": "timeout", "code": "step_timeout", "message": message})
    return commands


def begin_failing(job: Job, facts: Facts, error: dict[str, object]) -> None:
    """Nothing new goes out; what is under way may still answer."""
    if job.final or job.status in ("cancelling", "failing"):
        return
    job.error = error
    drop_pending(job, facts)
    job.move_to("failing" if job.in_flight else "failed", facts.now)


def fail(job: Job, facts: Facts, *, class_: str, code: str, message: str, hint: str | None = None) -> None:
    begin_failing(job, facts, {"class": class_, "code": code, "message": message, "hint": hint})


def drop_pending(job: Job, facts: Facts) -> None:
    for step in job.steps:
        if step.status == "pending":
            step.move_to("cancelled", facts.now)


def affordable(job: Job, wanted: dict[str, int]) -> bool:
    """Whether this may go out: everything spent, everything in flight and this together fit the hold."""
    flying = units.add(*(step.limit for step in job.in_flight))
    return units.fits(units.add(job.spent, flying, wanted), job.hold)
