"""The pure half of a render: which faults a timeline has, and what every absolute frame number shows."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from fenta.contracts.timeline import (
    AssetSource,
    AudioTrack,
    Canvas,
    CaptionClip,
    CaptionTrack,
    Lut,
    OverlayClip,
    OverlayTrack,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render.compose.curves import in_order
from fenta.render.compose.placement import fills_the_canvas
from fenta.render.errors import Fault, TimelineRefused

LONGEST_MS = 600_000
SEGMENT_SECONDS = 4
LONGEST_SEGMENT_SECONDS = 8

MissingGlyphs = Callable[[Iterable[str]], str]


@dataclass(frozen=True)
class Shot:
    """A clip in whole frames: it owns `[first, last)` and stays visible `tail` frames under the next transition.

    `over` is the number of its track: 0 for the one that fills the canvas, rising for those that lie over it.
    """

    clip: VideoClip
    first: int
    last: int
    tail: int = 0
    fade: int = 0
    over: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.over, self.first

    @property
    def length(self) -> int:
        return self.last + self.tail - self.first

    @cached_property
    def fills(self) -> bool:
        """Whether nothing but this clip is seen while it lasts."""
        return self.over == 0 and fills_the_canvas(self.clip)

    def position(self, frame: int) -> float:
        """How far the camera has moved, 0 to 1. A shot of one frame stands at its beginning."""
        return (frame - self.first) / max(1, self.length - 1)

    @property
    def moves(self) -> bool:
        """Whether two neighbouring frames should differ: a moving picture, or a still one under a moving camera."""
        source = self.clip.source
        filmed = isinstance(source, AssetSource) and source.media == "video"
        return self.fills and (filmed or self.clip.motion.kind != "static")


@dataclass(frozen=True)
class View:
    """What one frame shows: a shot, while a transition lasts the next one `share` of the way in, and what lies over."""

    below: Shot
    above: Shot | None = None
    share: float = 1.0
    over: tuple[Shot, ...] = ()

    @property
    def shots(self) -> list[Shot]:
        return [shot for shot in (self.below, self.above, *self.over) if shot]


@dataclass(frozen=True)
class FramePlan:
    """A timeline on one canvas, in absolute frame numbers, so that any cut of it shows the same frames.

    `over` has the shots of all further tracks, the lowest track first.
    """

    timeline: Timeline
    canvas: Canvas
    frames: int
    shots: tuple[Shot, ...]
    over: tuple[Shot, ...] = ()

    @property
    def fps(self) -> int:
        return self.timeline.fps

    def view(self, frame: int) -> View:
        index = bisect_right([shot.first for shot in self.shots], frame) - 1
        shot = self.shots[index]
        inside = frame - shot.first
        over = tuple(other for other in self.over if other.first <= frame < other.last)
        if index and inside < shot.fade:
            return View(self.shots[index - 1], shot, (inside + 1) / (shot.fade + 1), over)
        return View(shot, over=over)

    def expected_to_move(self, frame: int) -> bool:
        view = self.view(frame)
        # What lies over may hide all that moves.
        return not view.over and (view.above is not None or view.below.moves)

    def segments(self) -> list[tuple[int, int]]:
        """Half-open frame ranges that are encoded apart; they follow from the timeline alone, not from the machine."""
        cuts = [0, *_cuts(self), self.frames]
        return list(pairwise(cuts))


def frame_plan(timeline: Timeline, canvas: Canvas) -> FramePlan:
    """Place every clip of the picture tracks on whole frames."""
    base, *upper = picture_tracks(timeline)
    clips = sorted(base.clips, key=lambda clip: clip.start_ms)
    starts = [timeline.frame(clip.start_ms) for clip in clips]
    ends = [timeline.frame(clip.start_ms + clip.duration_ms) for clip in clips]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    fades = [_fade(timeline, clips, lengths, index) for index in range(len(clips))]
    tails = [*fades[1:], 0]
    shots = tuple(Shot(*parts) for parts in zip(clips, starts, ends, tails, fades, strict=True))
    over = tuple(_over(timeline, clip, number) for number, track in enumerate(upper, start=1) for clip in track.clips)
    return FramePlan(timeline, canvas, timeline.frame(timeline.duration_ms), shots, over)


def _over(timeline: Timeline, clip: VideoClip, number: int) -> Shot:
    return Shot(clip, timeline.frame(clip.start_ms), timeline.frame(clip.start_ms + clip.duration_ms), over=number)


def _fade(timeline: Timeline, clips: Sequence[VideoClip], lengths: Sequence[int], index: int) -> int:
    transition = clips[index].transition
    if index == 0 or transition is None or transition.kind == "cut":
        return 0
    # A transition longer than half of a neighbour would leave no moment in which that one is seen alone.
    return min(timeline.frame(transition.duration_ms), lengths[index] // 2, lengths[index - 1] // 2)


def _cuts(plan: FramePlan) -> Iterator[int]:
    last = 0
    for border in [*(shot.first for shot in plan.shots[1:]), plan.frames]:
        while border - last > LONGEST_SEGMENT_SECONDS * plan.fps:
            last += SEGMENT_SECONDS * plan.fps
            yield last
        far_enough = border - last >= SEGMENT_SECONDS * plan.fps and plan.frames - border >= plan.fps
        if far_enough and _on_a_centisecond(border, plan.fps):
            last = border
            yield last


def _on_a_centisecond(frame: int, fps: int) -> bool:
    # Caption files count centiseconds: shifted by anything else, a word would light up in a neighbouring frame.
    return frame * 100 % fps == 0


def grid_ms(fps: int) -> int:
    """The shortest step that is both a whole number of frames and of 10 ms."""
    return next(step for step in range(10, 1001, 10) if step * fps % 1000 == 0)


def picture_tracks(timeline: Timeline) -> list[VideoTrack]:
    """The first fills the canvas, each further one lies over those before it."""
    return [track for track in timeline.tracks if isinstance(track, VideoTrack)]


def pictures(timeline: Timeline) -> list[VideoClip]:
    return [clip for track in picture_tracks(timeline) for clip in track.clips]


def overlays(timeline: Timeline) -> list[OverlayClip]:
    return [clip for track in timeline.tracks if isinstance(track, OverlayTrack) for clip in track.clips]


def sounds(timeline: Timeline) -> list[AudioTrack]:
    return [track for track in timeline.tracks if isinstance(track, AudioTrack)]


def captions(timeline: Timeline) -> CaptionTrack | None:
    """The caption track, of which a render has at most one."""
    return next((track for track in timeline.tracks if isinstance(track, CaptionTrack)), None)


def burned(timeline: Timeline) -> list[CaptionClip]:
    """The captions that are drawn into the picture."""
    track = captions(timeline)
    return list(track.clips) if track and track.burn else []


def parsed(document: bytes | dict[str, Any]) -> Timeline:
    """Raises TimelineRefused with all that is not as the schema says, each with its place and what may stand there."""
    try:
        found = from_json(document) if isinstance(document, bytes) else document
        if isinstance(found, dict) and "OTIO_SCHEMA" in found:
            return _from_another_editor(found)
        return Timeline.model_validate(found)
    except ValidationError as error:
        raise TimelineRefused(_misfits(found, error)) from None
    except ValueError:
        raise TimelineRefused([Fault("input_invalid", "The timeline is not JSON.")]) from None


def _from_another_editor(document: dict[str, Any]) -> Timeline:
    # The library is loaded by those who need it.
    from fenta.render.interchange import from_otio  # noqa: PLC0415

    return from_otio(json.dumps(document))


def _misfits(document: Any, error: ValidationError) -> list[Fault]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [Fault("input_invalid", f"{_pointer(document, one['loc'])}: {one['msg']}.") for one in found]


def _pointer(document: Any, places: Sequence[int | str]) -> str:
    """Where in the document: what pydantic adds to a place, such as the kind of a track, does not stand there."""
    path = ""
    for place in places:
        inside = isinstance(document, dict) and place in document
        listed = isinstance(document, list) and isinstance(place, int)
        if inside or listed:
            path, document = f"{path}/{place}", document[place]
    last = places[-1] if places else ""
    # What is missing has a place too.
    return path if not isinstance(document, dict) or not isinstance(last, str) else f"{path}/{last}"


def source_hashes(timeline: Timeline) -> set[str]:
    """The SHA-256 of every file that the render reads."""
    seen = [clip.source for clip in pictures(timeline)]
    looks = [effect.source for clip in pictures(timeline) for effect in clip.effects if isinstance(effect, Lut)]
    heard = [clip.source for track in sounds(timeline) for clip in track.clips]
    files = {source.sha256 for source in [*seen, *looks, *heard] if isinstance(source, AssetSource)}
    return files | caption_files(timeline)


def caption_files(timeline: Timeline) -> set[str]:
    """The file that has the captions, where the timeline itself has none."""
    track = captions(timeline)
    return {track.source.sha256} if track and track.source and not track.clips else set()


def sources_between(plan: FramePlan, first: int, last: int) -> set[str]:
    """The SHA-256 of every file that the frames `[first, last)` show."""
    shots = [shot for shot in (*plan.shots, *plan.over) if shot.first < last and shot.last + shot.tail > first]
    seen = [shot.clip.source for shot in shots]
    looks = [effect.source for shot in shots for effect in shot.clip.effects if isinstance(effect, Lut)]
    return {source.sha256 for source in [*seen, *looks] if isinstance(source, AssetSource)}


def label(canvas: Canvas) -> str:
    """The canvas' aspect as a part of file names."""
    return canvas.aspect.replace(":", "x")


def faults(timeline: Timeline, canvases: Sequence[Canvas], missing_glyphs: MissingGlyphs) -> list[Fault]:
    """Everything that forbids this render, at once; an empty list means that it may start."""
    return [
        *_canvas_faults(canvases),
        *_length_faults(timeline),
        *_picture_faults(timeline),
        *_over_faults(timeline),
        *_look_faults(timeline),
        *_sound_faults(timeline),
        *_source_faults(timeline),
        *_text_faults(timeline, missing_glyphs),
    ]


def _canvas_faults(canvases: Sequence[Canvas]) -> Iterator[Fault]:
    for index, canvas in enumerate(canvases):
        across, down = (int(side) for side in canvas.aspect.split(":"))
        # Sides are even, so that small canvases cannot have their aspect exactly.
        if abs(canvas.width * down / (canvas.height * across) - 1) > 0.035:
            yield Fault("aspect_wrong", f"{canvas.width}x{canvas.height} is not a {canvas.aspect} canvas.")
        if canvas.aspect in {other.aspect for other in canvases[:index]}:
            yield Fault("aspect_repeated", f"{canvas.aspect} is asked for twice.")


def _length_faults(timeline: Timeline) -> Iterator[Fault]:
    if timeline.duration_ms > LONGEST_MS:
        yield Fault("too_long", f"The film lasts {timeline.duration_ms} ms; {LONGEST_MS} ms is the limit.")
    clips: list[VideoClip | CaptionClip | OverlayClip] = [*pictures(timeline), *burned(timeline), *overlays(timeline)]
    for clip in clips:
        if timeline.frame(clip.start_ms + clip.duration_ms) == timeline.frame(clip.start_ms):
            yield Fault("zero_length", f"Clip {clip.id} is shorter than one frame.")
        if clip.start_ms + clip.duration_ms > timeline.duration_ms:
            yield Fault("too_long", f"Clip {clip.id} goes on after the end of the film.")


def _picture_faults(timeline: Timeline) -> Iterator[Fault]:
    tracks = picture_tracks(timeline)
    clips = sorted(tracks[0].clips if tracks else [], key=lambda clip: clip.start_ms)
    if not clips:
        yield Fault("slot_empty", "The film has no pictures.")
        return
    if clips[0].start_ms > 0:
        yield Fault("gap", f"Nothing is seen before clip {clips[0].id}.")
    for before, after in pairwise(clips):
        end = before.start_ms + before.duration_ms
        if end > after.start_ms:
            yield Fault("overlap", f"Clip {after.id} starts before clip {before.id} has ended.")
        if timeline.frame(end) < timeline.frame(after.start_ms):
            yield Fault("gap", f"Nothing is seen between clip {before.id} and clip {after.id}.")
    if timeline.frame(clips[-1].start_ms + clips[-1].duration_ms) < timeline.frame(timeline.duration_ms):
        yield Fault("gap", f"Nothing is seen after clip {clips[-1].id}.")


def _over_faults(timeline: Timeline) -> Iterator[Fault]:
    for track in picture_tracks(timeline)[1:]:
        clips = sorted(track.clips, key=lambda clip: clip.start_ms)
        for before, after in pairwise(clips):
            if before.start_ms + before.duration_ms > after.start_ms:
                yield Fault("overlap", f"Clip {after.id} starts before clip {before.id} has ended.")
        for clip in clips:
            if clip.transition and clip.transition.kind != "cut":
                message = f"Clip {clip.id} lies over others and has no clip before it to come from; let it fade in."
                yield Fault("transition_above", message)


def _look_faults(timeline: Timeline) -> Iterator[Fault]:
    below = {clip.id for track in picture_tracks(timeline)[:1] for clip in track.clips}
    for clip in pictures(timeline):
        for name, keyframes in clip.keyframes.items():
            if not in_order(keyframes):
                yield Fault("keyframes_unordered", f"The keyframes of {name} of clip {clip.id} do not rise in time.")
        if clip.gain_db is not None and (not isinstance(clip.source, AssetSource) or clip.source.media != "video"):
            yield Fault("sound_missing", f"Clip {clip.id} is to be heard, but it is no film.")
        if clip.id in below and clip.blend != "normal":
            yield Fault("blend_below", f"Clip {clip.id} is to mix by {clip.blend}, but nothing lies below it.")
        if any(isinstance(effect, Lut) and effect.source.media != "lut" for effect in clip.effects):
            yield Fault("lut_missing", f"The colour table of clip {clip.id} is no asset of the kind lut.")


def _sound_faults(timeline: Timeline) -> Iterator[Fault]:
    for clip in (clip for track in sounds(timeline) for clip in track.clips):
        if not in_order(clip.envelope):
            yield Fault("keyframes_unordered", f"The envelope of clip {clip.id} does not rise in time.")
        if clip.source.media not in {"audio", "video"}:
            yield Fault("sound_missing", f"Clip {clip.id} is to be heard, but its source is {clip.source.media}.")


def _source_faults(timeline: Timeline) -> Iterator[Fault]:
    for picture in pictures(timeline):
        source = picture.source
        if isinstance(source, AssetSource) and source.media == "video" and source.duration_ms is not None:
            needed = picture.in_ms + round(picture.duration_ms * picture.speed)
            yield from _too_short(picture.id, needed, source.duration_ms)
    for sound in (clip for track in sounds(timeline) for clip in track.clips if not clip.loop):
        if sound.source.duration_ms is not None and not sound.trim_silence:
            needed = round((sound.in_ms + sound.duration_ms) * sound.speed)
            yield from _too_short(sound.id, needed, sound.source.duration_ms)


def _too_short(clip_id: str, needed_ms: int, there_ms: int) -> Iterator[Fault]:
    # A frame of grace: durations of compressed media are rounded by whoever measured them.
    if needed_ms > there_ms + 40:
        yield Fault("source_too_short", f"Clip {clip_id} needs {needed_ms} ms of a source that lasts {there_ms} ms.")


def _text_faults(timeline: Timeline, missing_glyphs: MissingGlyphs) -> Iterator[Fault]:
    track = captions(timeline)
    if track is not None and not any(clip.text.strip() for clip in track.clips):
        yield Fault("captions_empty", "Captions are on, but there is no text for them.")
    texts = [clip.text for clip in burned(timeline)]
    texts += [text for clip in overlays(timeline) for text in (clip.text, clip.detail)]
    if missing := missing_glyphs(texts):
        yield Fault("font_missing", f"No font here can draw these characters: {missing}")
