"""From a request to a job: choose the graph, merge parameters, validate, freeze; pure."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from fenta.chassis.errors import Finding as Mistake
from fenta.chassis.errors import Problem
from fenta.chassis.findings import invalid
from fenta.contracts import models, nodes, units, voices
from fenta.contracts.documents import Script
from fenta.contracts.timeline import Aspect, covering
from fenta.contracts.units import Size
from fenta.workflow import builtin
from fenta.workflow.graph import Graph, Node
from fenta.workflow.schemas import Brief, CaptionChoice, GivenScript, JobRequest
from fenta.workflow.validation import Finding, errors, validate

CAPTION_FILES = frozenset({"srt", "vtt", "ass"})
FACTS_NOTE = (
    "No text provider is set up and the brief has no points: the offline writer knows no facts, "
    "so the script will only speak about the topic in general. Add points to say something true."
)


@dataclass
class Compiled:
    """A graph ready to run, its inputs, and bounds for what is not known yet. `script` is given, not written."""

    graph: Graph
    inputs: dict[str, Any]
    size: Size
    kind: str
    title: str
    source: dict[str, Any]
    script: Script | None = None
    notes: list[str] = field(default_factory=list)


def compile_request(request: JobRequest) -> Compiled:
    """Raises a Problem with everything that is wrong."""
    sources = [name for name in ("brief", "script", "workflow") if getattr(request, name) is not None]
    if len(sources) != 1:
        named = f"You named {' and '.join(sources)}." if sources else "You named none."
        raise Problem("source_ambiguous", f"A job takes exactly one of brief, script, workflow. {named}")
    if request.brief is not None:
        compiled = _from_brief(request.brief)
    elif request.script is not None:
        compiled = _from_script(request.script)
    else:
        compiled = _from_graph(request.workflow, request.inputs)
    return _finished(compiled, request)


def _language(given: str, known: frozenset[str] | None, pointer: str) -> str:
    language = voices.known_language(given)
    if language is None or (known is not None and language not in known):
        names = ", ".join(sorted(known or voices.LANGUAGES))
        detail = f"{given[:40]!r} is not one of {names}."
        raise Problem("language_unsupported", detail, errors=[Mistake(pointer, "language_unsupported", detail)])
    return language


def _voice(name: str, pointer: str) -> str:
    if name == "auto":
        return name
    voice = voices.find_voice(name)
    if voice is None:
        detail = f"There is no voice {name[:60]!r}."
        hint = "GET /v1/voices lists them."
        raise Problem("voice_not_found", detail, hint=hint, errors=[Mistake(pointer, "voice_not_found", detail)])
    return voice.id


def _from_brief(brief: Brief) -> Compiled:
    inputs = brief.model_dump(mode="json")
    inputs["language"] = _language(brief.language, voices.WRITTEN, "#/brief/language")
    inputs["voice"]["voice_id"] = _voice(brief.voice.voice_id, "#/brief/voice/voice_id")
    inputs |= _captions(brief)
    facts = sum(len(point) for point in brief.points)
    return Compiled(
        graph=builtin.load(builtin.BRIEF_TO_VIDEO),
        inputs={"brief": inputs},
        size=units.size_of_brief(seconds=brief.duration_seconds, facts=facts + len(brief.topic), max_segments=None),
        kind="brief",
        title=brief.topic[:200],
        source={"kind": "brief", "workflow_id": builtin.BRIEF_TO_VIDEO, "workflow_version": 1},
        notes=[] if brief.points else [FACTS_NOTE],
    )


def _captions(brief: Brief) -> dict[str, Any]:
    """Whether there are captions, and how they look where there are."""
    look = CaptionChoice() if brief.captions is False else brief.captions
    return {"captioned": brief.captions is not False, "look": look.model_dump()}


def _from_script(given: GivenScript) -> Compiled:
    language = _language(given.language, None, "#/script/language")
    script = given.document().model_copy(update={"language": language})
    brief = Brief(topic=(script.title or "Video")[:2000].ljust(3))
    inputs = brief.model_dump(mode="json") | _captions(brief) | {"language": language}
    size = units.size_of_script([len(scene.narration) for scene in script.scenes()])
    inputs["duration_seconds"] = size.seconds
    return Compiled(
        graph=builtin.load(builtin.BRIEF_TO_VIDEO),
        inputs={"brief": inputs},
        size=size,
        kind="script",
        title=script.title[:200],
        source={"kind": "script", "workflow_id": builtin.BRIEF_TO_VIDEO, "workflow_version": 1},
        script=script,
    )


def _from_graph(document: Any, inputs: dict[str, Any]) -> Compiled:
    graph, findings = validate(document)
    if graph is None or errors(findings):
        raise graph_invalid(findings)
    return Compiled(
        graph=graph,
        inputs=_checked_inputs(graph, inputs),
        size=units.size_of_brief(seconds=_seconds(inputs), facts=len(str(inputs)), max_segments=None),
        kind="workflow",
        title=graph.name or "Workflow",
        source={"kind": "workflow"},
    )


def _seconds(inputs: dict[str, Any]) -> int:
    brief = inputs.get("brief")
    seconds = brief.get("duration_seconds", 30) if isinstance(brief, dict) else 30
    return seconds if isinstance(seconds, int) and 1 <= seconds <= 3600 else 30


def graph_invalid(findings: list[Finding]) -> Problem:
    mistakes = [Mistake(f"#/workflow{finding.path}", finding.code, finding.message) for finding in errors(findings)]
    return Problem("graph_invalid", mistakes[0].detail, errors=mistakes)


def _checked_inputs(graph: Graph, given: dict[str, Any]) -> dict[str, Any]:
    """Defaults filled in; what is missing, unknown or out of bounds refused together."""
    mistakes = [
        Mistake(f"#/inputs/{name}", "unknown_field", "The graph has no such input.")
        for name in given.keys() - graph.inputs.keys()
    ]
    found: dict[str, Any] = {}
    for name, declared in graph.inputs.items():
        value = given.get(name, declared.default)
        if value is None and declared.required:
            mistakes.append(Mistake(f"#/inputs/{name}", "required", "The graph needs this input."))
        elif value is not None and declared.enum is not None and value not in declared.enum:
            mistakes.append(Mistake(f"#/inputs/{name}", "enum", f"Take one of {declared.enum}."))
        elif value is not None:
            found[name] = _brief_input(value, name) if declared.type == "brief" else value
    if mistakes:
        raise Problem("validation_failed", mistakes[0].detail, errors=mistakes)
    return found


def _brief_input(value: Any, name: str) -> dict[str, Any]:
    try:
        brief = Brief.model_validate(value)
    except ValidationError as error:
        raise invalid([{**mistake, "loc": ("inputs", name, *mistake["loc"])} for mistake in error.errors()]) from error
    inputs: dict[str, Any] = _from_brief(brief).inputs["brief"]
    return inputs


def _finished(compiled: Compiled, request: JobRequest) -> Compiled:
    """The request's own parameters are the strongest; then chains are frozen and the whole is checked again."""
    document = compiled.graph.frozen()
    by_id = {node["id"]: node for node in document["nodes"]}
    for node_id, params in {**request.settings, **_output_params(request, compiled.graph)}.items():
        if node_id not in by_id:
            raise Problem("graph_invalid", f"There is no node {node_id} to set parameters of.")
        by_id[node_id]["params"] |= params
    if request.workflow is None:
        silent = compiled.inputs.get("brief", {}).get("captioned") is False
        document["outputs"] = _outputs(document, CAPTION_FILES if silent else frozenset())
    graph, findings = validate(document)
    if graph is None or errors(findings):
        raise graph_invalid(findings)
    compiled.graph = graph.with_nodes([_frozen(node) for node in graph.nodes])
    return compiled


def _outputs(document: dict[str, Any], unmade: frozenset[str]) -> dict[str, str]:
    """What a graph that ships gives away: of its renders that which they were asked for."""
    renders = {node["id"]: node["params"] for node in document["nodes"] if node["type"] == "Output.Render"}
    others = {name: port for name, port in document["outputs"].items() if port.partition(".")[0] not in renders}
    asked = {node_id: nodes.made_by_render(params) for node_id, params in renders.items()}
    made = {name: f"{node_id}.{name}" for node_id, names in asked.items() for name in names if name not in unmade}
    return made | others


def _output_params(request: JobRequest, graph: Graph) -> dict[str, dict[str, Any]]:
    """What the request says of its output, for every node that it concerns; settings are stronger."""
    by_type = _params_by_type(request)
    return {
        node.id: by_type[node.type] | request.settings.get(node.id, {}) for node in graph.nodes if node.type in by_type
    }


def _params_by_type(request: JobRequest) -> dict[str, dict[str, Any]]:
    """A graph of one's own says itself what its nodes do, unless the request speaks of its output."""
    output, own_graph = request.output, request.workflow is not None
    if own_graph and "output" not in request.model_fields_set:
        return {}
    aspects = output.aspects or (request.brief.aspects if request.brief else None)
    shape = {"aspects": aspects} if aspects else {}
    rate = {"fps": output.fps} if output.fps else {}
    film = output.model_dump(mode="json", exclude={"aspects", "fps", "subtitles", "documents"})
    film |= {"sidecars": [*output.subtitles, *output.documents]}
    params: dict[str, dict[str, Any]] = {"Output.Render": film | shape, "Edit.Timeline": shape | rate}
    return params if own_graph else params | _picture_params(aspects or ["9:16"])


def _picture_params(aspects: list[Aspect]) -> dict[str, dict[str, Any]]:
    """One picture serves all aspects, so it must be large enough for each."""
    width, height = covering(aspects, "1080p")
    return {
        "Storyboard.Generate": {"aspect": aspects[0]},
        "Input.KAI.GenerateImage": {"width": width, "height": height},
    }


def _frozen(node: Node) -> Node:
    if node.kind.capability is None:
        return node
    chain = models.chain(node.kind.capability, node.params.get("model", ["auto"]))
    return node.model_copy(update={"params": {**node.params, "model": chain}})
