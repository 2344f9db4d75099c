"""The graph document `fenta.workflow/1`, and what follows from it: order, axes, what feeds what."""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fenta.contracts import nodes
from fenta.contracts.nodes import NodeType

Axis = tuple[str, str]


class Part(BaseModel):
    """A part of a graph document: closed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Input(Part):
    type: str
    required: bool = False
    default: Any = None
    enum: list[Any] | None = None
    minimum: float | None = None
    maximum: float | None = None
    title: str = ""
    help: str = ""


class When(Part):
    """One test on an input; `else` says what happens to a node that fails it."""

    ref: str
    is_: Literal["present", "missing", "equal", "not_equal", "at_least", "at_most"] = Field(alias="is")
    to: Any = None
    else_: Literal["skip", "pass"] = Field(default="skip", alias="else")


class NodeSettings(Part):
    on_error: Literal["fail", "skip"] = "fail"
    max_items: int = Field(default=24, ge=1, le=100)
    timeout_seconds: int | None = Field(default=None, ge=1, le=86_400)
    take: int = Field(default=0, ge=0)
    reuse: Literal["inherit", "never"] = "inherit"
    pin: dict[str, Any] | None = None


class Node(Part):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    type: str
    version: int = 1
    params: dict[str, Any] = Field(default_factory=dict)
    when: When | None = None
    settings: NodeSettings = NodeSettings()

    @property
    def kind(self) -> NodeType:
        """The catalogue's entry. Raises KeyError for a type or version there is not; validation comes first."""
        found = nodes.find(self.type, self.version)
        if found is None:
            raise KeyError(f"{self.type}@{self.version}")
        return found


class Edge(Part):
    from_: str = Field(alias="from")
    to: str
    each: bool = False

    @property
    def source(self) -> tuple[str, str]:
        """Node and output port, or `inputs` and the input's name."""
        node, _, port = self.from_.partition(".")
        return node, port

    @property
    def target(self) -> tuple[str, str]:
        node, _, port = self.to.partition(".")
        return node, port


class GraphSettings(Part):
    priority: Literal["interactive", "default", "batch"] = "default"
    max_cost_micros: int | None = Field(default=None, ge=0)
    on_budget: Literal["pause", "fail"] = "pause"
    reuse: Literal["family", "org", "none"] = "family"


class Graph(Part):
    """A workflow. Nodes and edges keep the order of the document."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, ignored_types=(cached_property,))

    schema_: Literal["fenta.workflow/1"] = Field(default="fenta.workflow/1", alias="schema")
    name: str = Field(default="", max_length=200)
    inputs: dict[str, Input] = Field(default_factory=dict)
    nodes: list[Node]
    edges: list[Edge] = Field(default_factory=list)
    outputs: dict[str, str] = Field(default_factory=dict)
    settings: GraphSettings = GraphSettings()
    layout: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def into(self) -> dict[str, list[Edge]]:
        """Edges by the node they enter."""
        found: dict[str, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            found.setdefault(edge.target[0], []).append(edge)
        return found

    def sources(self, node_id: str) -> list[str]:
        """The nodes that feed a node, each once."""
        feeding = [edge.source[0] for edge in self.into[node_id] if edge.source[0] != "inputs"]
        return list(dict.fromkeys(feeding))

    @cached_property
    def order(self) -> list[str]:
        """Node ids so that every node comes after what feeds it. Raises ValueError on a cycle."""
        placed: dict[str, None] = {}
        left = [node.id for node in self.nodes]
        while left:
            ready = [node for node in left if all(source in placed for source in self.sources(node))]
            if not ready:
                raise ValueError("cycle")
            placed.update(dict.fromkeys(ready))
            left = [node for node in left if node not in placed]
        return list(placed)

    @cached_property
    def axes(self) -> dict[str, tuple[Axis, ...]]:
        """The lists that are open at each node, outermost first; an axis is named by the output that it opens."""
        found: dict[str, tuple[Axis, ...]] = {}
        for node_id in self.order:
            given = [self._given_axes(edge, found) for edge in self.into[node_id]]
            found[node_id] = max(given, key=len, default=())
        return found

    def _given_axes(self, edge: Edge, known: dict[str, tuple[Axis, ...]]) -> tuple[Axis, ...]:
        node_id, _port = edge.source
        axes = known.get(node_id, ())
        if edge.each:
            return (*axes, edge.source)
        if self.closes(edge):
            return axes[:-1]
        return axes

    def closes(self, edge: Edge) -> bool:
        """Whether this edge gathers the items of an open list into a list port."""
        target = self.by_id[edge.target[0]].kind.input(edge.target[1])
        return bool(target and target.list) and not edge.each and not self._gives_list(edge)

    def _gives_list(self, edge: Edge) -> bool:
        node_id, port = edge.source
        if node_id == "inputs":
            return False
        output = self.by_id[node_id].kind.output(port)
        return bool(output and output.list)

    @cached_property
    def remaining(self) -> dict[str, int]:
        """The weight of the longest way from a node to the end; what is far from the end goes first."""
        longest: dict[str, int] = {}
        for node_id in reversed(self.order):
            after = [longest[other] for other in self.order if node_id in self.sources(other) and other in longest]
            longest[node_id] = self.by_id[node_id].kind.weight + max(after, default=0)
        return longest

    def with_nodes(self, nodes: list[Node]) -> "Graph":
        """The same graph around changed nodes; what follows from the nodes is worked out anew."""
        return Graph.model_validate({**self.frozen(), "nodes": [node.model_dump(by_alias=True) for node in nodes]})

    def frozen(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)
