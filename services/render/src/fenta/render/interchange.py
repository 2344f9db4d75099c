"""Timelines for other editors, and back: OpenTimelineIO.

Tracks, clips, gaps and transitions map one to one; all else travels in `metadata["fenta"]`, so that nothing is lost
on the way back. What an editor moved or trimmed is taken from where it now lies. An OTIO track holds one clip at a
time: clips that overlap go to further tracks of the same name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from fenta.contracts.timeline import AssetSource, AudioTrack, LogoSource, Timeline, Track
from fenta.render.errors import Fault, TimelineRefused

OURS = "fenta"


def to_otio(timeline: Timeline) -> str:
    """The document that the official library and most editors open."""
    document = timeline.model_dump(mode="json", by_alias=True, exclude={"tracks"})
    found = otio.schema.Timeline(timeline.title or "Fenta", metadata={OURS: document})
    for number, track in enumerate(timeline.tracks):
        found.tracks.extend(_tracks(track, number))
    written: str = found.to_json_string()
    return written


def from_otio(text: str) -> Timeline:
    """Raises TimelineRefused `input_invalid` for what is no OTIO timeline, or none that Fenta has written."""
    try:
        found = otio.adapters.read_from_string(text, "otio_json")
        document = dict(_plain(found.metadata[OURS]))
        lanes = groupby(found.tracks, key=lambda track: track.metadata[OURS]["number"])
        document["tracks"] = [_track(list(tracks)) for _, tracks in lanes]
        return Timeline.model_validate(document)
    except (otio.exceptions.OTIOError, AttributeError, KeyError, ValueError) as error:
        fault = Fault("input_invalid", f"This is no timeline that Fenta has written: {error}.")
        raise TimelineRefused([fault]) from error


# --- there ------------------------------------------------------------------------------------------------------------


def _tracks(track: Track, number: int) -> Iterator[otio.schema.Track]:
    kind = otio.schema.TrackKind.Audio if isinstance(track, AudioTrack) else otio.schema.TrackKind.Video
    head = track.model_dump(mode="json", by_alias=True, exclude={"clips"}) | {"number": number}
    for lane in _lanes(track.clips):
        yield otio.schema.Track(track.id, children=list(_items(lane)), kind=kind, metadata={OURS: head})


def _lanes(clips: Iterable[Any]) -> list[list[Any]]:
    """As few rows as hold all clips without an overlap; one at least."""
    lanes: list[list[Any]] = [[]]
    for clip in sorted(clips, key=lambda clip: clip.start_ms):
        free = (lane for lane in lanes if not lane or _end(lane[-1]) <= clip.start_ms)
        lane = next(free, None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(clip)
    return lanes


def _end(clip: Any) -> int:
    end: int = clip.start_ms + clip.duration_ms
    return end


def _items(clips: Iterable[Any]) -> Iterator[otio.core.Composable]:
    at = 0
    for clip in clips:
        if clip.start_ms > at:
            yield otio.schema.Gap(source_range=_span(0, clip.start_ms - at))
        elif at and (change := getattr(clip, "transition", None)) and change.kind != "cut":
            yield _transition(change)
        yield _clip(clip)
        at = _end(clip)


def _transition(change: Any) -> otio.schema.Transition:
    # It begins where the clip begins, and borrows its time from the one before.
    fades = change.kind in {"crossfade", "fade", "dissolve"}
    kind = otio.schema.TransitionTypes.SMPTE_Dissolve if fades else otio.schema.TransitionTypes.Custom
    return otio.schema.Transition(change.kind, kind, _time(0), _time(change.duration_ms))


def _clip(clip: Any) -> otio.schema.Clip:
    speed = getattr(clip, "speed", 1.0)
    trimmed = _span(getattr(clip, "in_ms", 0), clip.duration_ms)
    warps = [otio.schema.LinearTimeWarp(time_scalar=speed)] if speed != 1.0 else []
    meta = {OURS: clip.model_dump(mode="json", by_alias=True)}
    return otio.schema.Clip(clip.id, _reference(clip), trimmed, effects=warps, metadata=meta)


def _reference(clip: Any) -> otio.core.MediaReference:
    source = getattr(clip, "source", None)
    if isinstance(source, LogoSource):
        return otio.schema.ExternalReference(f"asset:{source.asset_id}", None, {"sha256": source.sha256})
    if not isinstance(source, AssetSource):
        kind = getattr(source, "kind", "text")
        return otio.schema.GeneratorReference(clip.id, f"fenta.{kind}", metadata={})
    there = None if source.duration_ms is None else _span(0, source.duration_ms)
    return otio.schema.ExternalReference(f"asset:{source.asset_id}", there, {"sha256": source.sha256})


def _time(milliseconds: int) -> RationalTime:
    return RationalTime(milliseconds, 1000)


def _span(start_ms: int, duration_ms: int) -> TimeRange:
    return TimeRange(_time(start_ms), _time(duration_ms))


# --- and back ---------------------------------------------------------------------------------------------------------


def _track(lanes: list[otio.schema.Track]) -> dict[str, Any]:
    head = {name: value for name, value in _plain(lanes[0].metadata[OURS]).items() if name != "number"}
    clips = [clip for lane in lanes for clip in lane if isinstance(clip, otio.schema.Clip)]
    return head | {"clips": sorted(map(_clip_back, clips), key=lambda clip: clip["start_ms"])}


def _clip_back(clip: otio.schema.Clip) -> dict[str, Any]:
    place, trimmed = clip.range_in_parent(), clip.source_range
    found = {**_plain(clip.metadata[OURS]), "start_ms": _ms(place.start_time), "duration_ms": _ms(place.duration)}
    return found | {"in_ms": _ms(trimmed.start_time)} if "in_ms" in found else found


def _ms(moment: RationalTime) -> int:
    milliseconds: int = round(moment.to_seconds() * 1000)
    return milliseconds


def _plain(value: Any) -> Any:
    """The library's own maps and lists as Python's."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
