"""Carry a job as far as it goes by itself: open lists, skip what is not wanted, use again what is there."""

from typing import Any

from fenta.contracts import references
from fenta.contracts.values import KeyedValue
from fenta.workflow.graph import Node, When
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.apply import begin_failing
from fenta.workflow.plan.happenings import Command, Facts, LookUp
from fenta.workflow.plan.inputs import all_open, enter, ready
from fenta.workflow.plan.prepare import Prepared, may_look_up, prepare, scope

GOING_ON = ("running", "waiting_for_budget")


def advance(job: Job, facts: Facts) -> list[Command]:
    """To a fixpoint. The answer asks for earlier results where they may exist and were not looked up yet."""
    if job.status == "queued" and facts.may_run:
        job.started_at = facts.now
        job.move_to("running", facts.now)
    wanted: dict[str, str] = {}
    while job.status in GOING_ON and (_open(job) or any(_move(job, step, facts, wanted) for step in _waiting(job))):
        pass
    return [LookUp(wanted)] if wanted else []


def _waiting(job: Job) -> list[Step]:
    return [step for step in job.steps if step.status == "pending"]


def _open(job: Job) -> bool:
    """Make the steps whose item keys are known by now; answers whether there were new ones."""
    before = len(job.steps)
    for node_id in job.plan_graph.order:
        node = job.plan_graph.by_id[node_id]
        for axis in _instances(job, node_id):
            if job.find(node_id, axis) is None:
                job.open_step(node_id, node.type, axis)
    return len(job.steps) > before


def _instances(job: Job, node_id: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for depth, (source, port) in enumerate(job.plan_graph.axes[node_id]):
        found = [[*axis, key] for axis in found for key in _items(job, source, port, axis[:depth])]
    return found[: job.plan_graph.by_id[node_id].settings.max_items]


def _items(job: Job, node_id: str, port: str, axis: list[str]) -> list[str]:
    depth = len(job.plan_graph.axes[node_id])
    source = job.find(node_id, axis[:depth])
    value: Any = source.outputs.get(port) if source and source.status == "completed" else None
    return [item["key"] for item in (value or {}).get("items") or []]


def _move(job: Job, step: Step, facts: Facts, wanted: dict[str, str]) -> bool:
    """Take a pending step as far as it goes without anyone's help; answers whether it moved."""
    if step.status != "pending" or not ready(job, step):
        return False
    node = job.plan_graph.by_id[step.node_id]
    if node.when and not holds(node.when, job.inputs):
        return _skip(job, step, node, facts)
    if node.settings.pin is not None:
        return _complete(step, node.settings.pin, facts)
    if _lacks_input(job, step, node):
        step.move_to("skipped", facts.now)
        return True
    if node.kind.executor == "workflow":
        return _complete(step, {}, facts)
    return _reuse(job, step, facts, wanted)


def holds(when: When, inputs: dict[str, Any]) -> bool:
    """Evaluate a node's one test on the job's inputs."""
    try:
        value = references.look_up(when.ref, {"inputs": inputs})
    except references.Missing:
        value = None
    match when.is_:
        case "present":
            return value is not None
        case "missing":
            return value is None
        case "equal":
            return bool(value == when.to)
        case "not_equal":
            return bool(value != when.to)
        case "at_least":
            return value is not None and bool(value >= when.to)
        case "at_most":
            return value is not None and bool(value <= when.to)


def _skip(job: Job, step: Step, node: Node, facts: Facts) -> bool:
    """A node that is not wanted is skipped, or lets its input of the output's type pass by."""
    passed = {}
    if node.when and node.when.else_ == "pass":
        ports = enter(job, step).ports
        for output in node.kind.outputs:
            match = next(
                (port.name for port in node.kind.inputs if port.type == output.type and port.name in ports), None
            )
            if match:
                passed[output.name] = _plain(ports[match])
    if passed:
        return _complete(step, passed, facts)
    step.move_to("skipped", facts.now)
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [entry.model_dump(mode="json") for entry in value if isinstance(entry, KeyedValue)]
    return value.model_dump(mode="json")


def _complete(step: Step, outputs: dict[str, Any], facts: Facts) -> bool:
    step.outputs = outputs
    step.move_to("completed", facts.now)
    return True


def _lacks_input(job: Job, step: Step, node: Node) -> bool:
    ports = enter(job, step).ports
    missing = any(port.required and port.name not in ports for port in node.kind.inputs)
    alternatives = node.kind.needs_any
    unfed = alternatives and not any(name in ports or node.params.get(name) for name in alternatives)
    return missing or bool(unfed)


def _reuse(job: Job, step: Step, facts: Facts, wanted: dict[str, str]) -> bool:
    prepared = _prepared(job, step, facts)
    if prepared is None:
        return True
    step.fingerprint = prepared.fingerprint
    step.reusable = scope(job, step)
    found = _twin(job, step) or facts.results.get(prepared.fingerprint)
    if found:
        step.reused_from = found["step_id"]
        step.assets = found["assets"]
        return _complete(step, found["outputs"], facts)
    if prepared.fingerprint not in facts.results and may_look_up(job, step):
        wanted[prepared.fingerprint] = step.reusable or "family"
    return False


def _prepared(job: Job, step: Step, facts: Facts) -> Prepared | None:
    try:
        return prepare(job, step)
    except (references.Missing, ValueError) as error:
        problem = {"class": "invalid", "code": "reference_unknown", "message": f"{step.key}: {error}"}
        step.error = problem
        step.move_to("skipped", facts.now)
        begin_failing(job, facts, {**problem, "step_key": step.key})
        return None


def _twin(job: Job, step: Step) -> dict[str, Any] | None:
    """An equal step of this job that is done already."""
    for other in job.steps:
        if other is not step and other.fingerprint == step.fingerprint and other.status == "completed":
            return {"step_id": other.id, "outputs": other.outputs, "assets": other.assets}
    return None


def all_ended(job: Job) -> bool:
    """Whether every step that will ever be has ended."""
    nodes = job.plan_graph.order
    return bool(job.steps) and all(all_open(job, node) for node in nodes) and all(step.final for step in job.steps)


def progress_of(job: Job) -> int:
    """Weighted share of what is done, 99 at most; lists that are not open yet count at their bound."""
    done = total = 0.0
    for node_id in job.plan_graph.order:
        weight = job.plan_graph.by_id[node_id].kind.weight
        steps = job.of_node(node_id)
        expected = len(steps) if all_open(job, node_id) else max(len(steps), job.bounds.scenes_high)
        total += weight * expected
        done += weight * sum(step.progress for step in steps) / 100
    return min(99, int(99 * done / total)) if total else 0
