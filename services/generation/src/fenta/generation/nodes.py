"""What each node asks of a provider, and what it costs: from an event and its inputs to a typed request; pure."""

import math
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from fenta.contracts import references, units
from fenta.contracts.digest import digest_of
from fenta.contracts.documents import Script
from fenta.contracts.events import GenerationRequested
from fenta.contracts.models import MODELS
from fenta.generation.inputs import Ports
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.products import Product
from fenta.generation.providers.requests import (
    ImageRequest,
    MusicRequest,
    Request,
    ScriptRequest,
    SpeechRequest,
    StoryboardRequest,
)

Build = Callable[[GenerationRequested, dict[str, Any], Ports, str], Request]
SUBTITLES = "Subtitle.Auto"


def request_for(event: GenerationRequested, ports: Ports, model: str) -> Request:
    """Raises InvalidRequest with the first thing that is wrong."""
    build = _BUILD.get(event.node_type)
    if build is None:
        raise InvalidRequest("node_unknown", f"{event.node_type} is not made here.")
    try:
        return build(event, params_of(event, ports), ports, model)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRequest("request_invalid", f"{place}: {first['msg']}") from error


def params_of(event: GenerationRequested, ports: Ports) -> dict[str, Any]:
    """The parameters with `ports` put in."""
    try:
        params: dict[str, Any] = references.resolve(event.params, {"ports": ports}, frozenset({"ports"}))
    except (references.Missing, ValueError) as error:
        raise InvalidRequest("reference_invalid", f"A parameter cannot be filled in: {error}") from error
    return params


def seed_of(event: GenerationRequested, params: dict[str, Any]) -> int:
    """The seed asked for; else one that follows from all that determines the result."""
    given = params.get("seed")
    return given if isinstance(given, int) else int(digest_of([event.fingerprint])[:7], 16)


def _script(event: GenerationRequested, params: dict[str, Any], ports: Ports, model: str) -> Request:
    brief = ports.get("brief")
    if not isinstance(brief, dict):
        raise InvalidRequest("brief_missing", "There is no brief to write from.")
    words = {name: brief[name] for name in ("tone", "audience", "platform") if isinstance(brief.get(name), str)}
    return ScriptRequest(
        model=model,
        topic=brief.get("topic", ""),
        points=brief.get("points") or [],
        duration_seconds=brief.get("duration_seconds", 30),
        language=params.get("language") or brief.get("language") or "en",
        max_segments=params.get("max_segments"),
        hook_seconds=params.get("hook_seconds", 3),
        **words,
    )


def _storyboard(_event: GenerationRequested, params: dict[str, Any], ports: Ports, model: str) -> Request:
    return StoryboardRequest(
        model=model,
        script=ports.get("script"),
        style=params.get("style") or "",
        aspect=params.get("aspect", "9:16"),
    )


def _image(event: GenerationRequested, params: dict[str, Any], ports: Ports, model: str) -> Request:
    return ImageRequest(
        model=model,
        prompt=params.get("prompt") or _text(ports, "prompt") or _seen(ports.get("scene")),
        width=params.get("width", 1080),
        height=params.get("height", 1920),
        seed=seed_of(event, params),
        count=params.get("variations", 1),
        style=params.get("style") or "",
    )


def _seen(scene: Any) -> str:
    """What a scene shows: its prompt, else its direction, else what is said in it."""
    scene = scene if isinstance(scene, dict) else {}
    return next((scene[name] for name in ("prompt", "visual_direction", "narration") if scene.get(name)), "")


def _speech(_event: GenerationRequested, params: dict[str, Any], ports: Ports, model: str) -> Request:
    return SpeechRequest(
        model=model,
        text=params.get("text") or _text(ports, "text") or _said(ports),
        voice=_text(ports, "voice") or params.get("voice") or "auto",
        language=params.get("language") or _language(ports) or "en",
        speed=params.get("speed", 1.0),
    )


def _said(ports: Ports) -> str:
    scene, script = ports.get("scene"), ports.get("script")
    if isinstance(scene, dict):
        return str(scene.get("narration", ""))
    scenes = Script.model_validate(script).scenes() if script else []
    return "\n".join(scene.narration for scene in scenes)


def _language(ports: Ports) -> str:
    script = ports.get("script")
    return str(script.get("language", "")) if isinstance(script, dict) else ""


def _music(event: GenerationRequested, params: dict[str, Any], ports: Ports, model: str) -> Request:
    return MusicRequest(
        model=model,
        style=params.get("style", "ambient"),
        prompt=params.get("prompt") or _text(ports, "prompt"),
        seconds=params.get("seconds", 30),
        seed=seed_of(event, params),
    )


def _text(ports: Ports, name: str) -> str:
    value = ports.get(name)
    return value if isinstance(value, str) else ""


_BUILD: dict[str, Build] = {
    "Script.Generate": _script,
    "Storyboard.Generate": _storyboard,
    "Input.KAI.GenerateImage": _image,
    "Voice.TTS": _speech,
    "Music.Generate": _music,
}


def usage_of(request: Request, product: Product) -> dict[str, int]:
    """What was used, at its true quantity; what it costs is billing's matter."""
    match request:
        case ScriptRequest():
            return {"llm_tokens": _script_tokens(request, product)}
        case StoryboardRequest():
            return {"llm_tokens": _storyboard_tokens(request, product)}
        case SpeechRequest():
            return {"tts_characters": len(request.text)}
        case ImageRequest() | MusicRequest():
            return {"kai_credits": MODELS[request.model].credits * max(1, len(product.files))}


def _script_tokens(request: ScriptRequest, product: Product) -> int:
    read = len(request.topic) + sum(len(point) for point in request.points)
    written = sum(len(scene.narration) for scene in Script.model_validate(product.document).scenes())
    return units.tokens(read + written)


def _storyboard_tokens(request: StoryboardRequest, product: Product) -> int:
    read = sum(len(scene.narration) for scene in request.script.scenes())
    shots = (product.document or {}).get("shots", [])
    return units.tokens(read + math.ceil(sum(len(shot.get("prompt", "")) for shot in shots)))
