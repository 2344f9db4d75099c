"""What a job will take, before it is asked for: bounds per unit, per node, and in seconds; pure."""

from typing import Any

from fenta.contracts import units
from fenta.workflow.compile import Compiled
from fenta.workflow.graph import Graph, Node
from fenta.workflow.plan.advance import holds

# Seconds of a step's weight that a local engine takes at best, and a provider at worst.
FASTEST, SLOWEST = 0.05, 3.0


def estimate(compiled: Compiled) -> dict[str, Any]:
    """`{units: {low, high}, nodes: [{node_id, low, high}], duration_seconds: {low, high}, steps: {low, high}}`."""
    nodes = [_of_node(compiled, node) for node in compiled.graph.nodes if _wanted(compiled, node)]
    seconds = sum(node.kind.weight for node in compiled.graph.nodes)
    return {
        "units": {
            "low": units.add(*(node["low"] for node in nodes)),
            "high": units.add(*(node["high"] for node in nodes)),
        },
        "nodes": nodes,
        "steps": {name: sum(node["steps"][name] for node in nodes) for name in ("low", "high")},
        "duration_seconds": {"low": max(1, round(seconds * FASTEST)), "high": round(seconds * SLOWEST)},
    }


def _wanted(compiled: Compiled, node: Node) -> bool:
    pinned = node.settings.pin is not None or (compiled.script is not None and node.id == "script")
    return not pinned and (node.when is None or holds(node.when, compiled.inputs))


def _of_node(compiled: Compiled, node: Node) -> dict[str, Any]:
    low_count, high_count = _counts(compiled.graph, node, compiled)
    low, high = node.kind.cost(_costing(node), node.params.get("model", []), compiled.size)
    if not node.kind.shared_cost:
        low, high = _times(low, low_count), _times(high, high_count)
    steps = {"low": low_count, "high": high_count}
    return {"node_id": node.id, "low": units.add(low), "high": units.add(high), "reused": False, "steps": steps}


def _costing(node: Node) -> dict[str, Any]:
    return {name: value for name, value in node.params.items() if not isinstance(value, dict)}


def _counts(graph: Graph, node: Node, compiled: Compiled) -> tuple[int, int]:
    depth = len(graph.axes[node.id])
    return compiled.size.scenes_low**depth, min(compiled.size.scenes_high**depth, node.settings.max_items)


def _times(amounts: dict[str, int], count: int) -> dict[str, int]:
    return {unit: quantity * count for unit, quantity in amounts.items()}
