"""Send out what is ready, as far as the hold and the organisation's room allow."""

from fenta.contracts import units
from fenta.contracts.events import GenerationRequested, HoldRequested, RenderRequested, StepRequested
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.apply import affordable, fail
from fenta.workflow.plan.happenings import Command, Facts, Publish
from fenta.workflow.plan.inputs import ready
from fenta.workflow.plan.prepare import Prepared, may_look_up, prepare
from fenta.workflow.plan.words import job_words, step_words

LANES = {"high": 0, "default": 1, "media": 2}
REQUESTS: dict[str, type[StepRequested]] = {"generation": GenerationRequested, "render": RenderRequested}


def dispatch(job: Job, facts: Facts) -> list[Command]:
    """By lane, then what is farthest from the end; stops at the hold and at the room."""
    if job.status != "running":
        return []
    commands: list[Command] = []
    short: dict[str, int] = {}
    waiting = sorted((step for step in job.steps if _may_go(job, step, facts)), key=lambda step: _rank(job, step))
    for step in waiting[: max(0, facts.room)]:
        prepared = prepare(job, step)
        if _twin_in_flight(job, step):
            continue
        if affordable(job, prepared.limit):
            commands.append(Publish(_request(job, step, prepared, facts)))
        else:
            short = units.add(short, prepared.limit)
    if short and not job.in_flight:
        commands += _ask_for_more(job, short, facts)
    return commands


def _may_go(job: Job, step: Step, facts: Facts) -> bool:
    if step.status != "pending" or not step.fingerprint or not ready(job, step):
        return False
    return step.fingerprint in facts.results or not may_look_up(job, step)


def _rank(job: Job, step: Step) -> tuple[int, int, int]:
    kind = job.plan_graph.by_id[step.node_id].kind
    return LANES[kind.lane], -job.plan_graph.remaining[step.node_id], step.position


def _twin_in_flight(job: Job, step: Step) -> bool:
    """Of two equal steps the second waits for the first."""
    return any(other.fingerprint == step.fingerprint and other.in_flight for other in job.steps)


def _request(job: Job, step: Step, prepared: Prepared, facts: Facts) -> StepRequested:
    node = job.plan_graph.by_id[step.node_id]
    step.limit = prepared.limit
    step.models = prepared.models
    step.requested_at = facts.now
    step.move_to("queued", facts.now)
    return REQUESTS[node.kind.executor](
        **step_words(job, step),
        node_version=node.version,
        params=prepared.params,
        inputs=prepared.ports,
        models=prepared.models,
        limit=prepared.limit,
        lane=node.kind.lane,
        priority=job.priority,
        weight=job.weight,
        expected_seconds=node.kind.weight,
        timeout_seconds=node.settings.timeout_seconds or node.kind.timeout_seconds,
        fingerprint=prepared.fingerprint,
    )


def _ask_for_more(job: Job, short: dict[str, int], facts: Facts) -> list[Command]:
    """Nothing can go out: ask for a larger hold, unless the job's own cap or an earlier refusal stands."""
    needed = units.add(job.spent, short)
    missing = {unit: amount - job.hold.get(unit, 0) for unit, amount in needed.items()}
    missing = {unit: amount for unit, amount in missing.items() if amount > 0}
    if job.asked_revision > job.revision and job.waiting is None:
        return []
    if job.max_cost_micros is None and job.waiting is None:
        job.asked_revision += 1
        larger = units.add(job.hold, missing)
        return [Publish(HoldRequested(**job_words(job), revision=job.asked_revision, hold=larger))]
    return _stop_for_budget(job, missing, facts)


def _stop_for_budget(job: Job, missing: dict[str, int], facts: Facts) -> list[Command]:
    reason = "The cost limit does not cover the next steps."
    if job.on_budget == "fail":
        fail(job, facts, class_="budget", code="budget_exceeded", message=reason, hint="Raise max_cost and retry.")
        return []
    job.waiting = {"kind": "budget", "needed": missing, "reason": (job.waiting or {}).get("reason", reason)}
    job.move_to("waiting_for_budget", facts.now)
    return []
