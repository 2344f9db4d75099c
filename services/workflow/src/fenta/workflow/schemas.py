"""The shapes of requests: briefs, scripts, graphs; strict, closed, and normalised into what a graph takes."""

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fenta.chassis.http import Body
from fenta.contracts.documents import Script, Segment
from fenta.contracts.nodes import Aspects, AudioFormat, Codec, EncoderWish, Preview, Quality, ThumbnailBy
from fenta.contracts.templates import SlotKey, TemplateName
from fenta.contracts.timeline import CaptionLook, Colour, Emoji, Fps, Resolution

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_BLANKS = re.compile(r"\s+")


def clean(text: str) -> str:
    """NFC, no control characters, single blanks: what may be spoken, written and drawn."""
    return _BLANKS.sub(" ", _CONTROLS.sub(" ", unicodedata.normalize("NFC", text))).strip()


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _has_words(text: str) -> str:
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        raise ValueError("there is no letter or digit in it")
    return text


Topic = Annotated[str, BeforeValidator(_cleaned), Field(min_length=3, max_length=2000), AfterValidator(_has_words)]
Point = Annotated[str, BeforeValidator(_cleaned), Field(min_length=3, max_length=300), AfterValidator(_has_words)]
Short = Annotated[str, BeforeValidator(_cleaned), Field(max_length=200)]
Spoken = Annotated[str, BeforeValidator(_cleaned), Field(min_length=1, max_length=5000), AfterValidator(_has_words)]
Seconds = Annotated[int, Field(ge=5, le=3600)]


class VoiceChoice(Body):
    voice_id: Short = "auto"
    speed: float = Field(default=1.0, ge=0.7, le=1.3)


class MusicChoice(Body):
    mood: Literal["ambient", "upbeat", "dramatic", "podcast_intro", "transition"] = "ambient"


class CaptionChoice(Body):
    """What is left out the template says."""

    style: CaptionLook | None = None
    colour: Colour | None = None
    accent: Colour | None = None
    emoji: Emoji = "colour"


class Brief(Body):
    """What a video is to be about."""

    topic: Topic
    points: list[Point] = Field(default_factory=list, max_length=20)
    duration_seconds: Seconds = 30
    platform: Literal["youtube", "tiktok", "instagram", "all"] = "youtube"
    aspects: Aspects = Field(default=["9:16"])
    language: Short = "en"
    tone: Short = ""
    audience: Short = ""
    style: Short = ""
    template_id: TemplateName = "fenta/short@1"
    slots: dict[SlotKey, Short] = Field(default_factory=dict, max_length=50)
    visuals: Literal["image"] = "image"
    voice: VoiceChoice = Field(default_factory=VoiceChoice)
    music: MusicChoice | Literal[False] = Field(default_factory=MusicChoice)
    captions: CaptionChoice | Literal[False] = Field(default_factory=CaptionChoice)


class GivenSegment(Body):
    content: Spoken
    speaker: Short | None = None
    visual_direction: Short = ""


class GivenScript(Body):
    """A script to be used as it stands."""

    title: Short = ""
    language: Short = "en"
    hook: Short = ""
    intro: Short = ""
    segments: list[GivenSegment] = Field(min_length=1, max_length=40)
    outro: Short = ""
    cta: Short = ""

    def document(self) -> Script:
        segments = [
            Segment(id=f"s{number}", content=part.content, speaker=part.speaker, visual_direction=part.visual_direction)
            for number, part in enumerate(self.segments, start=1)
        ]
        title = self.title or self.hook or self.segments[0].content[:80]
        words = self.model_dump(include={"language", "hook", "intro", "outro", "cta"})
        return Script(title=title, topic=title, segments=segments, **words)


class Output(Body):
    """What comes out. Without aspects or `fps` of its own it has those of the brief or of the graph."""

    aspects: Aspects | None = None
    fps: Fps | None = None
    resolution: Resolution = "1080p"
    codec: Codec = "h264"
    encoder: EncoderWish = "auto"
    quality: Quality = "standard"
    subtitles: list[Literal["srt", "vtt", "ass"]] = Field(default=["srt", "vtt"])
    documents: list[Literal["otio", "loudness", "provenance"]] = Field(default=[])
    previews: list[Preview] = Field(default=[])
    audio: AudioFormat | None = None
    thumbnail: bool = True
    thumbnail_by: ThumbnailBy = "sharpness"


class Money(Body):
    amount_micros: int = Field(ge=0)
    currency: Literal["USD"] = "USD"


Labels = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=40)], Annotated[str, Field(max_length=500)]],
    Field(max_length=20),
]


class JobOptions(Body):
    """Beside every source."""

    max_cost: Money | None = None
    on_budget: Literal["pause", "fail"] = "pause"
    output: Output = Field(default_factory=Output)
    priority: Literal["default", "batch"] = "default"
    reuse: Literal["family", "org", "none"] = "family"
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    metadata: Labels = Field(default_factory=dict)


class JobRequest(JobOptions):
    """Exactly one source: a brief, a script, or a graph with its inputs."""

    brief: Brief | None = None
    script: GivenScript | None = None
    workflow: dict[str, Any] | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)


class VideoRequest(Brief):
    """A brief, and beside it what a job may say."""

    max_cost: Money | None = None
    on_budget: Literal["pause", "fail"] = "pause"
    output: Output | None = None
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    metadata: Labels = Field(default_factory=dict)

    def job(self) -> JobRequest:
        brief = Brief.model_construct(**{name: getattr(self, name) for name in Brief.model_fields})
        output = self.output or Output()
        beside = {name: getattr(self, name) for name in ("max_cost", "on_budget", "settings", "metadata")}
        return JobRequest.model_construct(
            brief=brief,
            script=None,
            workflow=None,
            inputs={},
            output=output,
            priority="default",
            reuse="family",
            **beside,
        )
