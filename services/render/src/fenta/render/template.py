"""The template `fenta/short@1`: a script, its pictures, voices, captions and music become one timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal

from fenta.contracts.documents import Cue, MediaRef, Music, Script, Speech, Subtitles, Word
from fenta.contracts.timeline import (
    AssetSource,
    AudioClip,
    AudioTrack,
    Canvas,
    CaptionClip,
    CaptionLook,
    CaptionTrack,
    CaptionWord,
    Duck,
    Emoji,
    Motion,
    OverlayClip,
    OverlayTrack,
    Timeline,
    Track,
    Transition,
    VideoClip,
    VideoTrack,
)
from fenta.render import subtitles
from fenta.render.errors import RenderRefused
from fenta.render.timeline import grid_ms

TEMPLATE = "fenta/short@1"
PORTRAIT = Canvas.of("9:16", "1080p")

TransitionKind = Literal["auto", "cut", "crossfade", "slide", "wipe", "zoom"]

# The end card must stay long enough to be read after the last word.
HOLD_MS = 1400
LONGEST_HOLD_MS = 3600
LONGEST_STRETCH_MS = 1200
SHORTEST_GAP_MS = 80
TRANSITION_MS = 400
TITLE_MS = 3600
CUE_CHARACTERS = 32

# Neighbouring shots never repeat a move, and one that went in is followed by one that goes out or along.
_MOVES: tuple[tuple[str, tuple[float, float], tuple[float, float]], ...] = (
    ("in", (0.5, 0.5), (0.5, 0.42)),
    ("along", (0.12, 0.5), (0.88, 0.45)),
    ("out", (0.5, 0.4), (0.5, 0.5)),
    ("along", (0.5, 0.9), (0.5, 0.1)),
    ("in", (0.35, 0.45), (0.7, 0.35)),
    ("along", (0.9, 0.4), (0.1, 0.55)),
    ("out", (0.65, 0.35), (0.4, 0.5)),
)
_TRANSITIONS: tuple[Literal["crossfade", "zoom", "slide"], ...] = ("zoom", "crossfade", "slide", "crossfade")


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
    """What fills the template. Mappings are by scene key; `s1.1` and `s1.2` are two shots of scene `s1`."""

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
    gap_ms: int = 250
    min_scene_ms: int = 1500
    transition: TransitionKind = "auto"
    captions: bool = True
    caption_style: CaptionLook = "karaoke"
    colour: str = "#FFFFFF"
    accent: str = "#FFD23F"
    centre_y: float | None = None
    emoji: Emoji = "colour"


@dataclass(frozen=True)
class _Span:
    """A scene in the film's time; `voice_ms` is when its speech begins."""

    key: str
    start_ms: int
    duration_ms: int
    voice_ms: int
    speech: Speech | None

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.duration_ms


def compile_short(bindings: Bindings) -> Timeline:
    """Raises RenderRefused `slot_empty` when there is no picture at all. The same bindings give the same timeline."""
    spans = _spans(bindings)
    duration = spans[-1].end_ms
    tracks: list[Track] = [
        VideoTrack(id="v1", clips=_pictures(bindings, spans)),
        OverlayTrack(id="o1", clips=_cards(bindings, spans)),
        *_captions(bindings, spans),
        AudioTrack(id="a1", role="voice", clips=_voices(spans)),
        *_music(bindings.music, duration),
    ]
    return Timeline(
        title=_title(bindings), fps=bindings.fps, duration_ms=duration, canvases=list(bindings.canvases), tracks=tracks
    )


def _title(bindings: Bindings) -> str:
    return bindings.title.strip() or bindings.script.title.strip()


# --- time -------------------------------------------------------------------------------------------------------------


def _spans(bindings: Bindings) -> list[_Span]:
    keys = [scene.key for scene in bindings.script.scenes()]
    spoken = [bindings.speech.get(key) for key in keys]
    gap, lengths = _fit(bindings, [speech.duration_ms if speech else 0 for speech in spoken])
    starts = [0, *accumulate(lengths)]
    lead = gap // 2 // 10 * 10
    return [
        _Span(key, start, length, start + lead, speech)
        for key, start, length, speech in zip(keys, starts, lengths, spoken, strict=False)
    ]


def _fit(bindings: Bindings, spoken: Sequence[int]) -> tuple[int, list[int]]:
    """The gap and the scenes' lengths that bring the film near its target, as far as the speech allows."""
    lengths = _lengths(bindings, spoken, bindings.gap_ms, HOLD_MS)
    if bindings.target_ms is None:
        return bindings.gap_ms, lengths
    if sum(lengths) > bindings.target_ms:
        return SHORTEST_GAP_MS, _lengths(bindings, spoken, SHORTEST_GAP_MS, HOLD_MS // 2)
    return bindings.gap_ms, _stretched(lengths, round(bindings.target_ms * 0.87), grid_ms(bindings.fps))


def _lengths(bindings: Bindings, spoken: Sequence[int], gap: int, hold: int) -> list[int]:
    grid = grid_ms(bindings.fps)
    natural = [max(bindings.min_scene_ms, speech + gap) for speech in spoken]
    natural[-1] += hold
    return [_up(length, grid) for length in natural]


def _stretched(lengths: list[int], wanted: int, grid: int) -> list[int]:
    missing = max(0, wanted - sum(lengths))
    held = min(missing, LONGEST_HOLD_MS - HOLD_MS)
    each = min(LONGEST_STRETCH_MS, (missing - held) // len(lengths))
    longer = [_up(length + each, grid) for length in lengths]
    return [*longer[:-1], _up(longer[-1] + held, grid)]


def _up(milliseconds: int, grid: int) -> int:
    return -(-milliseconds // grid) * grid


# --- pictures ---------------------------------------------------------------------------------------------------------


def _pictures(bindings: Bindings, spans: Sequence[_Span]) -> list[VideoClip]:
    shots = [shot for span in spans for shot in _shots(bindings, span)]
    filled = _filled([bindings.visuals.get(key) for key, _, _ in shots])
    return [
        _clip(bindings, index, shot, visual) for index, (shot, visual) in enumerate(zip(shots, filled, strict=True))
    ]


def _shots(bindings: Bindings, span: _Span) -> list[tuple[str, int, int]]:
    """Key, start and end of every picture of a scene; several share its time equally."""
    keys = sorted(key for key in bindings.visuals if key.startswith(f"{span.key}."))
    if span.key in bindings.visuals or not keys:
        return [(span.key, span.start_ms, span.end_ms)]
    grid = grid_ms(bindings.fps)
    borders = [span.start_ms + span.duration_ms * index // len(keys) // grid * grid for index in range(len(keys))]
    return [(key, start, end) for key, (start, end) in zip(keys, pairwise([*borders, span.end_ms]), strict=True)]


def _filled(visuals: Sequence[Visual | None]) -> list[Visual]:
    """A shot without a picture shows the one before it again, or at the beginning the first there is."""
    first = next((visual for visual in visuals if visual), None)
    if first is None:
        raise RenderRefused("slot_empty", "There is no picture for any scene.", "Give at least one picture or clip.")
    filled: list[Visual] = []
    for visual in visuals:
        filled.append(visual or (filled[-1] if filled else first))
    return filled


def _clip(bindings: Bindings, index: int, shot: tuple[str, int, int], visual: Visual) -> VideoClip:
    key, start, end = shot
    return VideoClip(
        id=f"v_{key}",
        scene=key.split(".")[0],
        start_ms=start,
        duration_ms=end - start,
        source=AssetSource(
            asset_id=visual.asset.asset_id,
            sha256=visual.asset.sha256,
            media=visual.media,
            # A clip that ends early holds its last frame, so its own length is no fault of the timeline.
            duration_ms=None,
        ),
        motion=_motion(index, end - start) if visual.media == "image" else Motion(kind="static"),
        transition=_transition(bindings.transition, index),
    )


def _motion(index: int, duration_ms: int) -> Motion:
    kind, start, end = _MOVES[index % len(_MOVES)]
    # The same speed for short and long scenes, within what a picture bears.
    travel = min(0.22, max(0.09, 0.03 * duration_ms / 1000))
    zooms = {"in": (1.02, 1.02 + travel), "out": (1.02 + travel, 1.02), "along": (1.16, 1.16)}
    return Motion(from_zoom=zooms[kind][0], to_zoom=zooms[kind][1], from_focus=start, to_focus=end)


def _transition(kind: TransitionKind, index: int) -> Transition | None:
    if index == 0 or kind == "cut":
        return None
    chosen = _TRANSITIONS[(index - 1) % len(_TRANSITIONS)] if kind == "auto" else kind
    return Transition(kind=chosen, duration_ms=TRANSITION_MS)


# --- words ------------------------------------------------------------------------------------------------------------


def _cards(bindings: Bindings, spans: Sequence[_Span]) -> list[OverlayClip]:
    title = _title(bindings)
    if not title:
        return []
    first, last = spans[0], spans[-1]
    opening = OverlayClip(
        id="title", start_ms=0, duration_ms=min(TITLE_MS, first.duration_ms), text=title, box=(0.08, 0.11, 0.84, 0.26)
    )
    if first is last:
        return [opening]
    closing = OverlayClip(
        id="end_card",
        start_ms=last.start_ms + TRANSITION_MS,
        duration_ms=last.duration_ms - TRANSITION_MS,
        text=title,
        detail=bindings.script.cta.strip()[:300],
        style="end_card",
        box=(0.08, 0.24, 0.84, 0.36),
    )
    return [opening, closing]


def _captions(bindings: Bindings, spans: Sequence[_Span]) -> list[Track]:
    file = bindings.subtitle_file
    clips = [clip for span in spans for clip in _cues(bindings, span)]
    if file:
        clips = subtitles.clips(file.cues, spans[-1].end_ms)
    if not clips and not bindings.captions:
        return []
    directions = {own.direction for own in bindings.subtitles.values()}
    return [
        CaptionTrack(
            id="s1",
            language=bindings.language or bindings.script.language,
            direction=directions.pop() if len(directions) == 1 else "auto",
            style=bindings.caption_style,
            colour=bindings.colour,
            accent=bindings.accent,
            centre_y=bindings.centre_y,
            emoji=bindings.emoji,
            burn=bindings.captions,
            source=file.source if file else None,
            clips=clips,
        )
    ]


def _cues(bindings: Bindings, span: _Span) -> list[CaptionClip]:
    own = bindings.subtitles.get(span.key)
    cues = own.cues if own else _cues_of(span.speech)
    ends = [*(cue.start_ms for cue in cues[1:]), span.end_ms - span.voice_ms]
    timed = [(cue, min(cue.end_ms, end)) for cue, end in zip(cues, ends, strict=False)]
    return [_cue(span, number, cue, end) for number, (cue, end) in enumerate(timed, start=1) if end > cue.start_ms]


def _cue(span: _Span, number: int, cue: Cue, end_ms: int) -> CaptionClip:
    words = [
        CaptionWord(text=word.text, start_ms=word.start_ms + span.voice_ms, end_ms=word.end_ms + span.voice_ms)
        for word in cue.words
    ]
    return CaptionClip(
        id=f"{span.key}.{number}",
        scene=span.key,
        start_ms=cue.start_ms + span.voice_ms,
        duration_ms=end_ms - cue.start_ms,
        text=cue.text,
        words=words,
    )


def _cues_of(speech: Speech | None) -> list[Cue]:
    """Captions for a scene that came without any: its spoken words, a line at a time."""
    lines: list[list[Word]] = []
    for word in speech.words if speech else []:
        if lines and sum(len(other.text) + 1 for other in [*lines[-1], word]) <= CUE_CHARACTERS:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [
        Cue(
            start_ms=line[0].start_ms,
            end_ms=line[-1].end_ms,
            text=" ".join(word.text for word in line),
            words=line,
        )
        for line in lines
    ]


# --- sound ------------------------------------------------------------------------------------------------------------


def _voices(spans: Sequence[_Span]) -> list[AudioClip]:
    return [
        AudioClip(
            id=f"voice_{span.key}",
            scene=span.key,
            start_ms=span.voice_ms,
            duration_ms=span.speech.duration_ms,
            source=_sound(span.speech.audio, span.speech.duration_ms),
        )
        for span in spans
        if span.speech
    ]


def _music(music: Music | None, duration_ms: int) -> list[Track]:
    if music is None:
        return []
    clip = AudioClip(
        id="music",
        start_ms=0,
        duration_ms=duration_ms,
        source=_sound(music.audio, music.duration_ms),
        loop=True,
        fade_in_ms=300,
        fade_out_ms=1500,
    )
    return [AudioTrack(id="a2", role="music", gain_db=-6, duck=Duck(db=-12), clips=[clip])]


def _sound(audio: MediaRef, duration_ms: int) -> AssetSource:
    return AssetSource(asset_id=audio.asset_id, sha256=audio.sha256, media="audio", duration_ms=duration_ms)
