"""All mistakes of a graph at once; one function for saving, estimating and running."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from fenta.contracts import models, nodes, references
from fenta.contracts.digest import canonical_json
from fenta.workflow.graph import Edge, Graph, Node

MOST_NODES, MOST_EDGES, MOST_INPUTS, MOST_STEPS = 100, 300, 50, 500
LARGEST_GRAPH, LARGEST_PARAMS = 256_000, 32_000
INLINE = ("text", "number", "boolean", "voice", "brief")


class Finding(BaseModel):
    """One mistake: what, where, and what to do about it."""

    code: str
    message: str
    path: str = ""
    node_id: str | None = None
    port: str | None = None
    severity: str = "error"
    hint: str | None = None


def validate(document: Any) -> tuple[Graph | None, list[Finding]]:
    """Read and check a document. The graph is None when its shape cannot be read at all."""
    try:
        graph = Graph.model_validate(document)
    except ValidationError as error:
        return None, [_shape_finding(mistake) for mistake in error.errors(include_url=False, include_input=False)]
    return graph, [*_limits(graph), *_structure(graph)]


def errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _shape_finding(mistake: Any) -> Finding:
    path = "/" + "/".join(str(part) for part in mistake["loc"])
    code = "schema_unknown" if path == "/schema" else "param_invalid"
    return Finding(code=code, path=path, message=mistake["msg"])


def _limits(graph: Graph) -> Iterator[Finding]:
    size = len(canonical_json(graph.frozen()))
    for name, count, most in (
        ("bytes", size, LARGEST_GRAPH),
        ("nodes", len(graph.nodes), MOST_NODES),
        ("edges", len(graph.edges), MOST_EDGES),
        ("inputs", len(graph.inputs), MOST_INPUTS),
    ):
        if count > most:
            yield Finding(code="limit_exceeded", message=f"The graph has {count} {name}; {most} are allowed.")


def _structure(graph: Graph) -> Iterator[Finding]:
    """Later checks need the earlier ones to have passed, so they stop at the first kind that fails."""
    for check in (_names, _ends, _cycles, _types, _axes, _inputs, _params, _outputs):
        findings = list(check(graph))
        yield from findings
        if errors(findings) and check in (_names, _ends, _cycles):
            return


def _names(graph: Graph) -> Iterator[Finding]:
    for index, node in enumerate(graph.nodes):
        path = f"/nodes/{index}"
        if [other.id for other in graph.nodes].index(node.id) != index:
            yield Finding(code="duplicate_node_id", path=path, node_id=node.id, message=f"{node.id} stands twice.")
        if node.type not in nodes.CATALOGUE:
            yield Finding(
                code="unknown_node_type", path=path, node_id=node.id, message=f"There is no node {node.type}."
            )
        elif nodes.find(node.type, node.version) is None:
            message = f"{node.type} has no version {node.version}."
            yield Finding(code="unknown_node_version", path=path, node_id=node.id, message=message)


def _ends(graph: Graph) -> Iterator[Finding]:
    seen: Counter[tuple[str, str]] = Counter()
    for index, edge in enumerate(graph.edges):
        seen[edge.from_, edge.to] += 1
        path = f"/edges/{index}"
        if seen[edge.from_, edge.to] > 1:
            yield Finding(code="duplicate_edge", path=path, message=f"{edge.from_} → {edge.to} stands twice.")
        if _source_type(graph, edge) is None:
            yield Finding(code="unknown_port", path=path, message=f"There is no output {edge.from_}.")
        target = graph.by_id.get(edge.target[0])
        if target is None or not (edge.target[1] == "gate" or target.kind.input(edge.target[1])):
            yield Finding(code="unknown_port", path=path, message=f"There is no input {edge.to}.")


def _source_type(graph: Graph, edge: Edge) -> str | None:
    node_id, port = edge.source
    if node_id == "inputs":
        given = graph.inputs.get(port)
        return given.type if given else None
    node = graph.by_id.get(node_id)
    output = node.kind.output(port) if node else None
    return output.type if output else None


def _cycles(graph: Graph) -> Iterator[Finding]:
    try:
        graph.order  # noqa: B018  computing it is the check
    except ValueError:
        yield Finding(code="cycle", path="/edges", message="The graph runs in a circle.", hint="Remove one edge of it.")


def _types(graph: Graph) -> Iterator[Finding]:
    taken: Counter[str] = Counter()
    for index, edge in enumerate(graph.edges):
        node_id, port = edge.target
        target = graph.by_id[node_id].kind.input(port)
        if target is None:
            continue
        taken[edge.to] += 1
        path, given = f"/edges/{index}", _source_type(graph, edge) or "any"
        common = {"path": path, "node_id": node_id, "port": port}
        if taken[edge.to] > 1 and not target.list:
            yield Finding(code="too_many_edges", message=f"{edge.to} takes one edge.", **common)
        opened = nodes.OPENS.get(given)
        if edge.each and opened is None:
            yield Finding(code="each_needs_list", message=f"{edge.from_} is no list.", **common)
        elif not nodes.fits(opened if edge.each and opened else given, target.type):
            needs_each = opened and nodes.fits(opened, target.type)
            hint = 'Add "each": true.' if needs_each else None
            code = "list_needs_each" if needs_each else "type_mismatch"
            message = f"{edge.from_} gives {given}, {edge.to} takes {target.type}."
            yield Finding(code=code, message=message, hint=hint, **common)


def _axes(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        axes = graph.axes[node.id]
        if len(axes) > 2:
            yield Finding(code="limit_exceeded", node_id=node.id, message="Lists are nested deeper than two.")
        for edge in graph.into[node.id]:
            given = graph._given_axes(edge, graph.axes)
            if axes[: len(given)] != given:
                message = f"{node.id} is fed by two lists that do not belong together."
                yield Finding(code="axis_mismatch", node_id=node.id, port=edge.target[1], message=message)


def _inputs(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        fed = {edge.target[1] for edge in graph.into[node.id]}
        for port in node.kind.inputs:
            if port.required and port.name not in fed:
                yield _missing(node, port.name)
        stand_ins = node.kind.needs_any
        if stand_ins and not fed.intersection(stand_ins) and not any(node.params.get(name) for name in stand_ins):
            yield _missing(node, stand_ins[0])


def _missing(node: Node, port: str) -> Finding:
    return Finding(code="missing_input", node_id=node.id, port=port, message=f"{node.id}.{port} is not fed.")


def _params(graph: Graph) -> Iterator[Finding]:
    for index, node in enumerate(graph.nodes):
        path = f"/nodes/{index}/params"
        if len(canonical_json(node.params)) > LARGEST_PARAMS:
            yield Finding(code="limit_exceeded", path=path, node_id=node.id, message="The parameters are too large.")
        yield from _references(graph, node, path)
        yield from _values(node, path)


def _references(graph: Graph, node: Node, path: str) -> Iterator[Finding]:
    mentioned = references.references(node.params) + ([node.when.ref] if node.when else [])
    for reference in mentioned:
        root, _, rest = reference.partition(".")
        name = rest.split(".")[0]
        known = {"inputs": set(graph.inputs), "run": {"date", "number", "timezone"}}
        known["ports"] = {port.name for port in node.kind.inputs}
        if name not in known.get(root, set()):
            message = f"{reference} leads nowhere."
            yield Finding(code="reference_unknown", path=path, node_id=node.id, message=message)


def _values(node: Node, path: str) -> Iterator[Finding]:
    try:
        node.kind.params.model_validate(_without_references(node.params))
    except ValidationError as error:
        for mistake in error.errors(include_url=False, include_input=False):
            where = f"{path}/" + "/".join(str(part) for part in mistake["loc"])
            if mistake["type"] != "missing" or not references.references(node.params):
                yield Finding(code="param_invalid", path=where, node_id=node.id, message=mistake["msg"])
    yield from _models(node, path)


def _without_references(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if not references.references(value)}


def _models(node: Node, path: str) -> Iterator[Finding]:
    wanted = node.params.get("model", ["auto"])
    if node.kind.capability is None or not isinstance(wanted, list):
        return
    try:
        models.chain(node.kind.capability, wanted)
    except KeyError as error:
        known = [model.id for model in models.MODELS.values() if model.capability == node.kind.capability]
        yield Finding(
            code="model_unknown",
            path=f"{path}/model",
            node_id=node.id,
            message=f"There is no model {error.args[0]} for this.",
            hint=f"Take auto or one of {', '.join(known)}.",
        )


def _unmade(graph: Graph) -> Iterator[Finding]:
    """Outputs that their render is not asked for: the job would fail at its very end."""
    for name, reference in graph.outputs.items():
        node_id, _, port = reference.partition(".")
        node = graph.by_id.get(node_id)
        if node is None or node.type != "Output.Render" or port == "renders":
            continue
        made = nodes.made_by_render(node.params)
        if made and port not in made and node.kind.output(port):
            message, hint = f"{node_id} is not asked for its {port}.", "Name it in the node's parameters."
            yield Finding(code="output_unmade", path=f"/outputs/{name}", node_id=node_id, message=message, hint=hint)


def _outputs(graph: Graph) -> Iterator[Finding]:
    if not graph.outputs:
        yield Finding(code="no_output", path="/outputs", message="The graph names no output.")
    for name, reference in graph.outputs.items():
        if _source_type(graph, Edge(**{"from": reference, "to": "x.x"})) is None:
            yield Finding(code="unknown_port", path=f"/outputs/{name}", message=f"There is no output {reference}.")
    yield from _unmade(graph)
    used = {edge.source[1] for edge in graph.edges if edge.source[0] == "inputs"}
    used |= {ref.split(".")[1] for node in graph.nodes for ref in references.references(node.params) if "." in ref}
    used |= {node.when.ref.split(".")[1] for node in graph.nodes if node.when}
    for name in graph.inputs.keys() - used:
        yield Finding(code="unused_input", severity="warning", path=f"/inputs/{name}", message=f"{name} feeds nothing.")
