"""What enters a step: the values of its ports, found along the edges."""

from dataclasses import dataclass
from typing import Any

from fenta.contracts.values import Item, KeyedValue, PortValue, Value, inline
from fenta.workflow.graph import Edge
from fenta.workflow.models import Job, Step


@dataclass(frozen=True)
class Entering:
    """The values of a step's ports, and how many characters of narration they carry, if that is known."""

    ports: dict[str, PortValue]
    characters: int | None


def ready(job: Job, step: Step) -> bool:
    """Whether everything that feeds the step has ended."""
    return all(_fed(job, step, edge) for edge in job.plan_graph.into[step.node_id])


def _fed(job: Job, step: Step, edge: Edge) -> bool:
    node_id, _ = edge.source
    if node_id == "inputs":
        return True
    if job.plan_graph.closes(edge):
        return all_open(job, node_id) and all(source.final for source in _under(job, node_id, step.axis))
    source = _source_step(job, step, edge)
    return source is not None and source.final


def all_open(job: Job, node_id: str) -> bool:
    """Whether all steps that a node will ever have are there."""
    graph = job.plan_graph
    for axis_node, _port in graph.axes[node_id]:
        if not all_open(job, axis_node) or not all(step.final for step in job.of_node(axis_node)):
            return False
    return True


def _under(job: Job, node_id: str, axis: list[str]) -> list[Step]:
    return [step for step in job.of_node(node_id) if step.axis[: len(axis)] == axis]


def _source_step(job: Job, step: Step, edge: Edge) -> Step | None:
    node_id, _ = edge.source
    depth = len(job.plan_graph.axes[node_id])
    return job.find(node_id, step.axis[:depth])


def enter(job: Job, step: Step) -> Entering:
    """Gather the ports of a step that is ready; what is missing is left out."""
    ports: dict[str, PortValue] = {}
    characters: int | None = None
    for edge in job.plan_graph.into[step.node_id]:
        port = edge.target[1]
        value = _value(job, step, edge)
        if value is None or port == "gate":
            continue
        if isinstance(value, Item | Value):
            characters = _length(job, step, edge) if edge.each else characters
        given = _as_port(job, step, edge, value)
        earlier = ports.get(port)
        ports[port] = _merged(earlier, given) if isinstance(earlier, list) and isinstance(given, list) else given
    return Entering(ports, characters)


def _value(job: Job, step: Step, edge: Edge) -> Value | list[KeyedValue] | None:
    node_id, port = edge.source
    if node_id == "inputs":
        return _from_inputs(job, port)
    if job.plan_graph.closes(edge):
        return [
            KeyedValue(key=source.axis[-1] if source.axis else source.node_id, value=value)
            for source in _under(job, node_id, step.axis)
            if isinstance(value := _output(source, port), Value)
        ]
    source = _source_step(job, step, edge)
    value = _output(source, port) if source else None
    if edge.each and isinstance(value, Value):
        return next((value.item(item) for item in value.items or [] if item.key == step.axis[-1]), None)
    return value


def _from_inputs(job: Job, name: str) -> Value | None:
    given = job.inputs.get(name)
    return None if given is None else inline(job.plan_graph.inputs[name].type, given)


def _output(step: Step, port: str) -> Value | list[KeyedValue] | None:
    raw: Any = step.outputs.get(port)
    if raw is None:
        return None
    return [KeyedValue.model_validate(entry) for entry in raw] if isinstance(raw, list) else Value.model_validate(raw)


def _length(job: Job, step: Step, edge: Edge) -> int | None:
    source = _source_step(job, step, edge)
    value = _output(source, edge.source[1]) if source else None
    items = value.items if isinstance(value, Value) and value.items else []
    return next((item.characters for item in items if item.key == step.axis[-1]), None)


def _as_port(job: Job, step: Step, edge: Edge, value: Value | list[KeyedValue]) -> PortValue:
    port = job.plan_graph.by_id[step.node_id].kind.input(edge.target[1])
    if port and port.list and isinstance(value, Value):
        return [KeyedValue(key=edge.source[0], value=value)]
    return value


def _merged(first: list[KeyedValue], second: list[KeyedValue]) -> list[KeyedValue]:
    """Several edges into a list port join by key; the first that is present wins."""
    keys = {entry.key for entry in first}
    return [*first, *(entry for entry in second if entry.key not in keys)]
