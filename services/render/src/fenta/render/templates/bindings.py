"""What fills a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fenta.contracts.documents import Cue, MediaRef, Music, Script, Speech, Subtitles
from fenta.contracts.timeline import AssetSource, Canvas, CaptionLook, Emoji, Transition

PORTRAIT = Canvas.of("9:16", "1080p")


@dataclass(frozen=True)
class Visual:
    """A picture or clip for a scene."""

    asset: MediaRef
    media: Literal["image", "video"] = "image"
    duration_ms: int | None = None


@dataclass(frozen=True)
class SubtitleFile:
    """Captions of the whole film, in its own time."""

    source: AssetSource
    cues: Sequence[Cue]


@dataclass(frozen=True)
class Bindings:
    """Mappings are by scene key; `s1.1` and `s1.2` are two shots of scene `s1`. What is None the template says.

    `slots` has texts and colours, and for slots that accept files the files.
    """

    script: Script
    visuals: Mapping[str, Visual]
    speech: Mapping[str, Speech] = field(default_factory=dict)
    subtitles: Mapping[str, Subtitles] = field(default_factory=dict)
    subtitle_file: SubtitleFile | None = None
    music: Music | None = None
    title: str = ""
    language: str = ""
    target_ms: int | None = None
    canvases: tuple[Canvas, ...] = (PORTRAIT,)
    fps: Literal[24, 25, 30, 60] = 30
    gap_ms: int | None = None
    min_scene_ms: int | None = None
    transition: Transition | None = None
    captions: bool = True
    caption_style: CaptionLook | None = None
    colour: str | None = None
    accent: str | None = None
    centre_y: float | None = None
    emoji: Emoji = "colour"
    slots: Mapping[str, str | MediaRef] = field(default_factory=dict)
