"""The heart: what a job does next, as a pure function of its state, what happened, and a few facts."""

from collections.abc import Iterable

from fenta.workflow.models import Job
from fenta.workflow.plan.advance import advance, progress_of
from fenta.workflow.plan.apply import apply
from fenta.workflow.plan.dispatch import dispatch
from fenta.workflow.plan.happenings import (
    Authorized,
    CancelAsked,
    Command,
    Facts,
    Happening,
    LookUp,
    Progressed,
    Publish,
    Refused,
    Remember,
    StepFailedAt,
    StepSucceeded,
    Woken,
)
from fenta.workflow.plan.settle import Snapshot, settle

__all__ = [
    "Authorized",
    "CancelAsked",
    "Command",
    "Facts",
    "Happening",
    "LookUp",
    "Progressed",
    "Publish",
    "Refused",
    "Remember",
    "StepFailedAt",
    "StepSucceeded",
    "Woken",
    "plan",
    "progress_of",
]


def plan(job: Job, happenings: Iterable[Happening], facts: Facts) -> list[Command]:
    """Change the job by what happened, and answer what must be done about it.

    The job is changed in place; nothing else is read or written. A repeated happening changes nothing, an
    impossible one raises. When the answer holds a `LookUp`, ask again with those results among the facts.
    """
    before = Snapshot.of(job)
    commands: list[Command] = []
    for happening in happenings:
        commands += apply(job, happening, facts)
    commands += advance(job, facts)
    sent = dispatch(job, facts)
    # What has ended is told before what begins.
    return [*commands, *settle(job, before, facts), *sent]
