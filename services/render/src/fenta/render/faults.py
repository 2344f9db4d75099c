"""Which faults a timeline has: all of them at once, each with its place in the document and what to do about it."""

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from fenta.contracts.timeline import (
    AssetSource,
    AudioTrack,
    Canvas,
    CaptionTrack,
    Lut,
    OverlayTrack,
    TextSource,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render import bounds
from fenta.render.compose.curves import in_order
from fenta.render.errors import Fault, TimelineRefused
from fenta.render.places import Box, Zone, covered, safe

MissingGlyphs = Callable[[Iterable[str]], str]


class Found(NamedTuple):
    """A clip and its place in the document, a JSON pointer."""

    place: str
    clip: Any

    @property
    def end_ms(self) -> int:
        end: int = self.clip.start_ms + self.clip.duration_ms
        return end


def parsed(document: bytes | dict[str, Any]) -> Timeline:
    """Raises TimelineRefused with all that is not as the schema says, each with its place and what may stand there."""
    try:
        found = from_json(document) if isinstance(document, bytes) else document
        if isinstance(found, dict) and "OTIO_SCHEMA" in found:
            return _from_another_editor(found)
        return Timeline.model_validate(found)
    except ValidationError as error:
        raise TimelineRefused(misfits(found, error)) from None
    except ValueError:
        raise TimelineRefused([Fault("input_invalid", "The timeline is not JSON.")]) from None


def _from_another_editor(document: dict[str, Any]) -> Timeline:
    # The library is loaded by those who need it.
    from fenta.render.interchange import from_otio  # noqa: PLC0415

    return from_otio(json.dumps(document))


def misfits(document: Any, error: ValidationError, under: str = "") -> list[Fault]:
    """What pydantic says of a document, or of the part of one that stands `under` a place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [_misfit(under + _pointer(document, one["loc"]), one["msg"]) for one in found]


def _misfit(place: str, message: str) -> Fault:
    return Fault("input_invalid", f"{place}: {message}.", place, "Put there what its schema allows.")


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


def faults(timeline: Timeline, canvases: Sequence[Canvas], missing_glyphs: MissingGlyphs) -> list[Fault]:
    """Everything that forbids this render, at once; an empty list means that it may start."""
    return [
        *_canvas_faults(canvases),
        *_length_faults(timeline),
        *_size_faults(timeline, canvases),
        *_picture_faults(timeline),
        *_over_faults(timeline),
        *_look_faults(timeline),
        *_font_faults(timeline),
        *_sound_faults(timeline),
        *_source_faults(timeline),
        *_text_faults(timeline, missing_glyphs),
    ]


# --- clips and their places -------------------------------------------------------------------------------------------


def _clips(timeline: Timeline, kind: type[Any]) -> list[Found]:
    """Of all tracks of a kind."""
    return [found for track in _tracks(timeline, kind) for found in track]


def _tracks(timeline: Timeline, kind: type[Any]) -> list[list[Found]]:
    return [
        [Found(f"/tracks/{number}/clips/{index}", clip) for index, clip in enumerate(track.clips)]
        for number, track in enumerate(timeline.tracks)
        if isinstance(track, kind)
    ]


def _in_time(clips: Iterable[Found]) -> list[Found]:
    return sorted(clips, key=lambda found: found.clip.start_ms)


# --- what the whole may be --------------------------------------------------------------------------------------------


def _canvas_faults(canvases: Sequence[Canvas]) -> Iterator[Fault]:
    for index, canvas in enumerate(canvases):
        place = f"/canvases/{index}"
        across, down = (int(side) for side in canvas.aspect.split(":"))
        # Sides are even, so that small canvases cannot have their aspect exactly.
        if abs(canvas.width * down / (canvas.height * across) - 1) > 0.035:
            message = f"{canvas.width}x{canvas.height} is not a {canvas.aspect} canvas."
            yield Fault("aspect_wrong", message, place, f"Give sides that are as {across} to {down}.")
        if canvas.aspect in {other.aspect for other in canvases[:index]}:
            yield Fault("aspect_repeated", f"{canvas.aspect} is asked for twice.", f"{place}/aspect", "Leave one out.")


def _length_faults(timeline: Timeline) -> Iterator[Fault]:
    if timeline.duration_ms > bounds.LONGEST_MS:
        message = f"The film lasts {timeline.duration_ms} ms; {bounds.LONGEST_MS} ms is the limit."
        yield Fault("too_long", message, "/duration_ms", "Cut it into several films.")
    captions = [found for track in _burned(timeline) for found in track]
    for found in (*_clips(timeline, VideoTrack), *captions, *_clips(timeline, OverlayTrack)):
        clip, place = found.clip, f"{found.place}/duration_ms"
        if timeline.frame(found.end_ms) == timeline.frame(clip.start_ms):
            message, hint = f"Clip {clip.id} is shorter than one frame.", f"A frame lasts {1000 / timeline.fps:.1f} ms."
            yield Fault("zero_length", message, place, hint)
        if found.end_ms > timeline.duration_ms:
            hint = f"Let it end at {timeline.duration_ms} ms, or make the film longer."
            yield Fault("too_long", f"Clip {clip.id} goes on after the end of the film.", place, hint)


def _burned(timeline: Timeline) -> list[list[Found]]:
    """The clips of the caption track that is drawn into the picture."""
    drawn = [track.burn for track in timeline.tracks if isinstance(track, CaptionTrack)]
    return [clips for clips, burn in zip(_tracks(timeline, CaptionTrack), drawn, strict=True) if burn][:1]


def _size_faults(timeline: Timeline, canvases: Sequence[Canvas]) -> Iterator[Fault]:
    clips = sum(len(track.clips) for track in timeline.tracks)
    if clips > bounds.MOST_CLIPS:
        message = f"The film has {clips} clips; {bounds.MOST_CLIPS} is the limit."
        yield Fault("too_many_clips", message, "/tracks", "Cut it into several films.")
    for index, canvas in enumerate(canvases):
        if canvas.width * canvas.height > bounds.MOST_PIXELS:
            message = f"{canvas.width}x{canvas.height} has more than {bounds.MOST_PIXELS} pixels."
            yield Fault("too_many_pixels", message, f"/canvases/{index}", "2160 x 3840 is the largest canvas.")
    yield from _memory_faults(timeline, canvases)


def _memory_faults(timeline: Timeline, canvases: Sequence[Canvas]) -> Iterator[Fault]:
    pixels = max((canvas.width * canvas.height for canvas in canvases), default=0)
    crowd = _fullest(_clips(timeline, VideoTrack))
    needed = bounds.memory_mib(pixels, len(crowd))
    if needed > bounds.MOST_MEMORY_MIB:
        message = f"{len(crowd)} pictures at once need {needed} MiB; {bounds.MOST_MEMORY_MIB} MiB is the limit."
        yield Fault("too_much_memory", message, crowd[-1].place, "Show fewer pictures at once, or render smaller.")


def _fullest(clips: Sequence[Found]) -> list[Found]:
    """The clips of the moment at which most are seen."""
    starts, ends = sorted(found.clip.start_ms for found in clips), sorted(found.end_ms for found in clips)
    crowd = {at: bisect_right(starts, at) - bisect_right(ends, at) for at in starts}
    fullest = max(crowd, key=crowd.__getitem__, default=0)
    return [found for found in clips if found.clip.start_ms <= fullest < found.end_ms]


# --- pictures ---------------------------------------------------------------------------------------------------------


def _picture_faults(timeline: Timeline) -> Iterator[Fault]:
    tracks = _tracks(timeline, VideoTrack)
    clips = _in_time(tracks[0] if tracks else [])
    if not clips:
        yield Fault("slot_empty", "The film has no pictures.", "/tracks", "Give a video track with a clip in it.")
        return
    if clips[0].clip.start_ms > 0:
        yield _gap(f"Nothing is seen before clip {clips[0].clip.id}.", f"{clips[0].place}/start_ms")
    for before, after in pairwise(clips):
        yield from _overlap(before, after)
        if timeline.frame(before.end_ms) < timeline.frame(after.clip.start_ms):
            yield _gap(f"Nothing is seen between clip {before.clip.id} and clip {after.clip.id}.", after.place)
    last = clips[-1]
    if timeline.frame(last.end_ms) < timeline.frame(timeline.duration_ms):
        yield _gap(f"Nothing is seen after clip {last.clip.id}.", f"{last.place}/duration_ms")


def _gap(message: str, place: str) -> Fault:
    return Fault("gap", message, place, "The first video track fills the whole film; a colour can fill a pause.")


def _overlap(before: Found, after: Found) -> Iterator[Fault]:
    if before.end_ms > after.clip.start_ms:
        message = f"Clip {after.clip.id} starts before clip {before.clip.id} has ended."
        hint = f"Start it at {before.end_ms} ms, or put it into another track."
        yield Fault("overlap", message, f"{after.place}/start_ms", hint)


def _over_faults(timeline: Timeline) -> Iterator[Fault]:
    for track in _tracks(timeline, VideoTrack)[1:]:
        for before, after in pairwise(_in_time(track)):
            yield from _overlap(before, after)
        for place, clip in track:
            if clip.transition and clip.transition.kind != "cut":
                message = f"Clip {clip.id} lies over others and has no clip before it to come from."
                yield Fault("transition_above", message, f"{place}/transition", "Let it fade in.")


def _look_faults(timeline: Timeline) -> Iterator[Fault]:
    below = {found.place for track in _tracks(timeline, VideoTrack)[:1] for found in track}
    for place, clip in _clips(timeline, OverlayTrack):
        yield from _keyframe_faults(place, clip)
    for place, clip in _clips(timeline, VideoTrack):
        yield from _keyframe_faults(place, clip)
        if clip.gain_db is not None and (not isinstance(clip.source, AssetSource) or clip.source.media != "video"):
            message = f"Clip {clip.id} is to be heard, but it is no film."
            yield Fault("sound_missing", message, f"{place}/gain_db", "Leave gain_db out.")
        if place in below and clip.blend != "normal":
            message = f"Clip {clip.id} is to mix by {clip.blend}, but nothing lies below it."
            yield Fault("blend_below", message, f"{place}/blend", "Put it into a further video track.")
        for number, effect in enumerate(clip.effects):
            if isinstance(effect, Lut) and effect.source.media != "lut":
                message = f"The colour table of clip {clip.id} is no asset of the kind lut."
                yield Fault("lut_missing", message, f"{place}/effects/{number}/source", "Name a .cube file.")


def _sound_faults(timeline: Timeline) -> Iterator[Fault]:
    for place, clip in _clips(timeline, AudioTrack):
        if not in_order(clip.envelope):
            message = f"The envelope of clip {clip.id} does not rise in time."
            yield Fault("keyframes_unordered", message, f"{place}/envelope", "Each at_ms is later than the last.")
        if clip.source.media not in {"audio", "video"}:
            message = f"Clip {clip.id} is to be heard, but its source is {clip.source.media}."
            yield Fault("sound_missing", message, f"{place}/source", "Name a sound, or a film that has one.")


def _font_faults(timeline: Timeline) -> Iterator[Fault]:
    drawn = [(place, clip.font) for place, clip in _clips(timeline, OverlayTrack)]
    tracks = enumerate(timeline.tracks)
    drawn += [(f"/tracks/{at}", track.font) for at, track in tracks if isinstance(track, CaptionTrack)]
    words = [(f"{place}/source", clip.source) for place, clip in _clips(timeline, VideoTrack)]
    drawn += [(place, source.font) for place, source in words if isinstance(source, TextSource)]
    for place, font in drawn:
        if font and font.media != "font":
            yield Fault("font_invalid", f"The font is of the kind {font.media}.", f"{place}/font/media", "Name a font.")


def _keyframe_faults(place: str, clip: Any) -> Iterator[Fault]:
    for name, keyframes in clip.keyframes.items():
        if not in_order(keyframes):
            message = f"The keyframes of {name} of clip {clip.id} do not rise in time."
            yield Fault(
                "keyframes_unordered", message, f"{place}/keyframes/{name}", "Each at_ms is later than the last."
            )


def _source_faults(timeline: Timeline) -> Iterator[Fault]:
    for place, clip in _clips(timeline, VideoTrack):
        source = clip.source
        if isinstance(source, AssetSource) and source.media == "video" and source.duration_ms is not None:
            needed = clip.in_ms + round(clip.duration_ms * clip.speed)
            yield from _too_short(place, clip.id, needed, source.duration_ms)
    for place, sound in _clips(timeline, AudioTrack):
        if not sound.loop and sound.source.duration_ms is not None and not sound.trim_silence:
            needed = round((sound.in_ms + sound.duration_ms) * sound.speed)
            yield from _too_short(place, sound.id, needed, sound.source.duration_ms)


def _too_short(place: str, clip_id: str, needed_ms: int, there_ms: int) -> Iterator[Fault]:
    # A frame of grace: durations of compressed media are rounded by whoever measured them.
    if needed_ms > there_ms + 40:
        message = f"Clip {clip_id} needs {needed_ms} ms of a source that lasts {there_ms} ms."
        yield Fault("source_too_short", message, f"{place}/source", "Make the clip shorter, or slower.")


# --- words ------------------------------------------------------------------------------------------------------------


def _text_faults(timeline: Timeline, missing_glyphs: MissingGlyphs) -> Iterator[Fault]:
    found = next((number for number, track in enumerate(timeline.tracks) if isinstance(track, CaptionTrack)), None)
    if found is not None and not any(clip.text.strip() for clip in timeline.tracks[found].clips):  # type: ignore[union-attr]
        hint = "Give them text, or leave the track out."
        yield Fault("captions_empty", "Captions are on, but there is no text for them.", f"/tracks/{found}", hint)
    texts = list(_texts(timeline))
    if missing := missing_glyphs([text for _, text in texts]):
        place = next((place for place, text in texts if set(text) & set(missing)), "")
        message = f"No font here can draw these characters: {missing}"
        yield Fault("font_missing", message, place, "Write them in another script, or leave them out.")


def _texts(timeline: Timeline) -> Iterator[tuple[str, str]]:
    """What is drawn, with its place."""
    yield from ((f"{place}/text", clip.text) for track in _burned(timeline) for place, clip in track)
    for place, clip in _clips(timeline, OverlayTrack):
        yield from ((f"{place}/text", clip.text), (f"{place}/detail", clip.detail))
    for place, clip in _clips(timeline, VideoTrack):
        if isinstance(clip.source, TextSource):
            yield f"{place}/source/text", clip.source.text


# --- what may be, but nobody would want -------------------------------------------------------------------------------


def covered_texts(timeline: Timeline, canvases: Sequence[Canvas]) -> list[Fault]:
    """Texts that somebody has put where a platform draws over them. They are rendered: the film may go elsewhere."""
    placed = [(f"{place}/box", clip.id, clip.box) for place, clip in _clips(timeline, OverlayTrack) if clip.box]
    words = [found for found in _clips(timeline, VideoTrack) if isinstance(found.clip.source, TextSource)]
    return [
        _covered(place, clip_id, canvas, zones)
        for canvas in canvases
        for place, clip_id, box in [*placed, *((place, clip.id, _about(clip, canvas)) for place, clip in words)]
        if (zones := list(covered(canvas.aspect, box)))
    ]


def _about(clip: VideoClip, canvas: Canvas) -> Box:
    """Where words lie, as far as can be said without measuring them: as many lines as they would need at 0.55 em."""
    em = clip.source.size * min(canvas.width, canvas.height) * clip.scale  # type: ignore[union-attr]
    length = len(clip.source.text) * 0.55 * em / canvas.width  # type: ignore[union-attr]
    wide = min(length, clip.source.width * clip.scale)  # type: ignore[union-attr]
    high = math.ceil(length / wide) * 1.2 * em / canvas.height
    return clip.x - wide / 2, clip.y - high / 2, wide, high


def _covered(place: str, clip_id: str, canvas: Canvas, zones: Sequence[Zone]) -> Fault:
    names = ", ".join(sorted({f"{zone.platform} ({zone.what})" for zone in zones}))
    left, top, right, bottom = safe(canvas.aspect)
    message = f"In {canvas.aspect} clip {clip_id} lies where a platform draws its own: {names}."
    hint = f"Nothing covers {left} to {right} of the width and {top} to {bottom} of the height."
    return Fault("covered", message, place, hint)
