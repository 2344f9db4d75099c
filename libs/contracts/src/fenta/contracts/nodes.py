"""The node catalogue: typed ports, parameters, executor, class, lane and cost of every node type there is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fenta.contracts import units
from fenta.contracts.models import Capability
from fenta.contracts.templates import SlotKey, TemplateName
from fenta.contracts.timeline import (
    Aspect,
    CaptionLook,
    CentreY,
    Colour,
    Emoji,
    Fps,
    Resolution,
    TransitionWord,
    each_once,
)
from fenta.contracts.units import Bounds, Size

Executor = Literal["workflow", "generation", "render"]
Lane = Literal["high", "default", "media"]
Aspects = Annotated[list[Aspect], Field(min_length=1, max_length=4), AfterValidator(each_once)]
Models = Annotated[list[str], Field(min_length=1, max_length=5)]
Codec = Literal["h264", "hevc", "av1", "vp9"]
EncoderWish = Literal["auto", "software", "hardware"]
Quality = Literal["draft", "standard", "high"]
Preview = Literal["gif", "webp", "sprite"]
Sidecar = Literal["srt", "vtt", "ass", "otio", "loudness", "provenance"]
ThumbnailBy = Literal["sharpness", "contrast", "faces"]
AudioFormat = Literal["m4a", "mp3", "wav"]
Prompt = Annotated[str, Field(max_length=5000)]

# What a value may also be used as, besides its own type.
ALSO_FITS: dict[str, frozenset[str]] = {
    "brief": frozenset({"text"}),
    "scene": frozenset({"text"}),
    "image": frozenset({"visual"}),
    "video": frozenset({"visual"}),
    "speech": frozenset({"audio"}),
    "music": frozenset({"audio"}),
    "render": frozenset({"video", "visual"}),
}
# Documents that an `each` edge can open, and what it finds inside.
OPENS: dict[str, str] = {"script": "scene", "storyboard": "scene"}


def fits(given: str, wanted: str) -> bool:
    """Whether a value of one type may enter a port of another."""
    return wanted == "any" or given in (wanted, "any") or wanted in ALSO_FITS.get(given, frozenset())


class Params(BaseModel):
    """Parameters of a node: closed, with defaults."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Port:
    name: str
    type: str
    required: bool = True
    list: bool = False


def port(text: str) -> Port:
    """Read `name:type`, with `?` for optional and `*` for a list, as in `voice:speech?*`."""
    name, rest = text.split(":")
    return Port(name=name, type=rest.rstrip("?*"), required="?" not in rest, list="*" in rest)


def _ports(text: str) -> tuple[Port, ...]:
    return tuple(port(word) for word in text.split())


def _nothing(_params: dict[str, Any], _models: list[str], _size: Size) -> Bounds:
    return {}, {}


ParamsClass = type[Params]
Cost = Callable[[dict[str, Any], list[str], Size], Bounds]


@dataclass(frozen=True, kw_only=True)
class NodeType:
    """One version of one node type.

    `cost` bounds the units of a single step; over a list it counts for each item, unless the items share it, as
    the characters of a script are shared by its scenes. `weight` is the step's share of progress.
    """

    type: str
    title: str
    step_type: str
    executor: Executor
    params: ParamsClass
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    version: int = 1
    node_class: Literal["pure", "paid"] = "pure"
    lane: Lane = "default"
    weight: int = 1
    timeout_seconds: int = 60
    capability: Capability | None = None
    cost: Cost = field(default=_nothing)
    shared_cost: bool = False
    needs_any: tuple[str, ...] = ()

    def input(self, name: str) -> Port | None:
        return next((port for port in self.inputs if port.name == name), None)

    def output(self, name: str) -> Port | None:
        return next((port for port in self.outputs if port.name == name), None)


class UploadParams(Params):
    asset_ids: list[str] = Field(min_length=1, max_length=50)
    kind: Literal["image", "video", "audio", "music", "script", "subtitles"] = "image"


class ScriptParams(Params):
    model: Models = ["auto"]
    max_segments: int | None = Field(default=None, ge=1, le=40)
    hook_seconds: float = Field(default=3, ge=0, le=15)
    archetype: str | None = Field(default=None, max_length=200)
    language: str | None = None


class StoryboardParams(Params):
    model: Models = ["auto"]
    style: str = Field(default="", max_length=200)
    shots_per_segment: Literal[1] = 1
    aspect: Aspect = "9:16"


class ImageParams(Params):
    prompt: Prompt = ""
    model: Models = ["auto"]
    width: int = Field(default=1080, ge=256, le=4096)
    height: int = Field(default=1920, ge=256, le=4096)
    variations: Literal[1, 2, 3, 4] = 1
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    negative_prompt: Prompt = ""
    style: str = Field(default="", max_length=200)


class SpeechParams(Params):
    model: Models = ["auto"]
    text: str = Field(default="", max_length=40_000)
    voice: str = "auto"
    speed: float = Field(default=1.0, ge=0.7, le=1.3)
    language: str | None = None
    pause_ms: int = Field(default=250, ge=0, le=5000)


class MusicParams(Params):
    model: Models = ["auto"]
    prompt: Prompt = ""
    style: Literal["ambient", "upbeat", "dramatic", "podcast_intro", "transition"] = "ambient"
    seconds: int = Field(default=30, ge=5, le=120)
    instrumental: Literal[True] = True
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)


class SubtitleParams(Params):
    max_chars: int = Field(default=32, ge=8, le=80)
    max_lines: int = Field(default=2, ge=1, le=3)
    highlight: Literal["word", "line", "none"] = "word"
    language: str | None = None
    direction: Literal["auto", "ltr", "rtl"] = "auto"


class TimelineParams(Params):
    """What is left out the template says. `slots` are its texts and colours, by key."""

    template: TemplateName = "fenta/short@1"
    slots: dict[SlotKey, Annotated[str, Field(max_length=500)]] = Field(default={}, max_length=50)
    aspects: Aspects = ["9:16"]
    fps: Fps = 30
    gap_ms: int | None = Field(default=None, ge=0, le=5000)
    min_scene_ms: int | None = Field(default=None, ge=200, le=30_000)
    transition: TransitionWord | None = None
    captions: bool = True
    caption_style: CaptionLook | None = None
    caption_colour: Colour | None = None
    caption_accent: Colour | None = None
    caption_centre_y: CentreY | None = None
    caption_emoji: Emoji = "colour"
    target_seconds: int | None = Field(default=None, ge=1, le=3600)


class RenderParams(Params):
    aspects: Aspects = ["9:16"]
    resolution: Resolution = "1080p"
    codec: Codec = "h264"
    encoder: EncoderWish = "auto"
    quality: Quality = "standard"
    sidecars: list[Sidecar] = ["srt", "vtt"]
    previews: list[Preview] = []
    audio: AudioFormat | None = None
    thumbnail: bool = True
    thumbnail_by: ThumbnailBy = "sharpness"
    checks: Literal[True] = True

    def outputs(self) -> list[str]:
        """The names of what comes out, besides the film of every aspect."""
        optional = {"thumbnail": self.thumbnail, "audio": self.audio, "sprite_vtt": "sprite" in self.previews}
        return ["video", *self.sidecars, *self.previews, *(name for name, asked in optional.items() if asked)]


def made_by_render(params: dict[str, Any]) -> list[str]:
    """Of parameters as they were written; none for those that are wrong, or not known yet."""
    try:
        return RenderParams.model_validate(params).outputs()
    except ValidationError:
        return []


class DownloadParams(Params):
    filename: str = Field(default="", max_length=200)
    expires_hours: int = Field(default=24, ge=1, le=168)


def _script_cost(_params: dict[str, Any], _models: list[str], size: Size) -> Bounds:
    return units.script_tokens(size)


def _storyboard_cost(_params: dict[str, Any], _models: list[str], size: Size) -> Bounds:
    return units.storyboard_tokens(size)


def _image_cost(params: dict[str, Any], models: list[str], _size: Size) -> Bounds:
    return units.credits_each(models, params.get("variations", 1))


def _speech_cost(_params: dict[str, Any], _models: list[str], size: Size) -> Bounds:
    return units.speech_characters(size)


def _music_cost(_params: dict[str, Any], models: list[str], _size: Size) -> Bounds:
    return units.credits_each(models, 1)


def _render_cost(params: dict[str, Any], _models: list[str], size: Size) -> Bounds:
    return units.render_bounds(size, params.get("resolution", "1080p"), films=len(params.get("aspects", ["9:16"])))


CATALOGUE: dict[str, NodeType] = {
    node.type: node
    for node in (
        NodeType(
            type="Input.Upload",
            title="Files from the library",
            step_type="INPUT",
            executor="workflow",
            params=UploadParams,
            outputs=_ports("asset:any assets:any*"),
        ),
        NodeType(
            type="Script.Generate",
            title="Write the script",
            step_type="SCRIPT",
            executor="generation",
            params=ScriptParams,
            inputs=_ports("brief:brief"),
            outputs=_ports("script:script"),
            node_class="paid",
            lane="high",
            weight=10,
            timeout_seconds=180,
            capability="text",
            cost=_script_cost,
        ),
        NodeType(
            type="Storyboard.Generate",
            title="Draw the storyboard",
            step_type="STORYBOARD",
            executor="generation",
            params=StoryboardParams,
            inputs=_ports("script:script"),
            outputs=_ports("storyboard:storyboard"),
            node_class="paid",
            lane="high",
            weight=8,
            timeout_seconds=180,
            capability="text",
            cost=_storyboard_cost,
        ),
        NodeType(
            type="Input.KAI.GenerateImage",
            title="Make a picture",
            step_type="IMAGE_GENERATION",
            executor="generation",
            params=ImageParams,
            inputs=_ports("prompt:text? scene:scene? reference:image?*"),
            outputs=_ports("image:image images:image*"),
            node_class="paid",
            lane="media",
            weight=12,
            timeout_seconds=300,
            capability="image",
            cost=_image_cost,
            needs_any=("prompt", "scene"),
        ),
        NodeType(
            type="Voice.TTS",
            title="Speak",
            step_type="VOICE",
            executor="generation",
            params=SpeechParams,
            inputs=_ports("text:text? scene:scene? script:script? voice:voice?"),
            outputs=_ports("speech:speech"),
            node_class="paid",
            lane="media",
            weight=4,
            timeout_seconds=300,
            capability="speech",
            cost=_speech_cost,
            shared_cost=True,
            needs_any=("text", "scene", "script"),
        ),
        NodeType(
            type="Subtitle.Auto",
            title="Cut the subtitles",
            step_type="SUBTITLES",
            executor="generation",
            params=SubtitleParams,
            inputs=_ports("speech:speech? audio:audio? script:script?"),
            outputs=_ports("subtitles:subtitles"),
            weight=2,
            timeout_seconds=600,
            needs_any=("speech", "audio"),
        ),
        NodeType(
            type="Music.Generate",
            title="Compose the music",
            step_type="MUSIC",
            executor="generation",
            params=MusicParams,
            inputs=_ports("prompt:text?"),
            outputs=_ports("music:music tracks:music*"),
            node_class="paid",
            lane="media",
            weight=60,
            timeout_seconds=600,
            capability="music",
            cost=_music_cost,
        ),
        NodeType(
            type="Edit.Timeline",
            title="Cut the film",
            step_type="MONTAGE",
            executor="render",
            params=TimelineParams,
            inputs=_ports(
                "visuals:visual* script:script? voice:speech?* music:music? subtitles:subtitles?* title:text? "
                "logo:image? font:file?"
            ),
            outputs=_ports("timeline:timeline"),
            weight=2,
        ),
        NodeType(
            type="Output.Render",
            title="Render the video",
            step_type="RENDER",
            executor="render",
            params=RenderParams,
            inputs=_ports("timeline:timeline"),
            outputs=_ports(
                "video:render renders:render* thumbnail:image srt:file vtt:file ass:file otio:file loudness:file "
                "provenance:file audio:audio gif:image webp:image sprite:image sprite_vtt:file"
            ),
            lane="media",
            weight=30,
            timeout_seconds=3600,
            cost=_render_cost,
        ),
        NodeType(
            type="Output.Download",
            title="Offer the files",
            step_type="FLOW",
            executor="workflow",
            params=DownloadParams,
            inputs=_ports("files:any*"),
        ),
    )
}


def find(type_: str, version: int = 1) -> NodeType | None:
    node = CATALOGUE.get(type_)
    return node if node and node.version == version else None
