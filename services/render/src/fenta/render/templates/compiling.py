"""A template and what fills it become a timeline: `compile_timeline`, a pure function."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fenta.contracts.documents import MediaRef
from fenta.contracts.references import Missing, resolve
from fenta.contracts.templates import Captions, Placeholder, Slot, Template, TemplateTrack, Travel
from fenta.contracts.timeline import (
    AssetSource,
    Motion,
    OverlayClip,
    OverlayTrack,
    TextSource,
    Timeline,
    Track,
    Transition,
    VideoClip,
    VideoTrack,
)
from fenta.contracts.values import Contract
from fenta.render.errors import Fault, TimelineRefused
from fenta.render.faults import misfits
from fenta.render.templates import words
from fenta.render.templates.bindings import Bindings
from fenta.render.templates.spans import Shot, Span, shots, spans

ROOTS = frozenset({"title", "cta", "slots", "scene", "shot"})
COLOUR = r"#[0-9a-fA-F]{6}"
# What overlays take.
LONGEST_TEXT = {"text": 500, "detail": 300}


@dataclass(frozen=True)
class Stretch:
    """A part of the film for which a placeholder may give a clip, and what can be said in it."""

    key: str
    scene: str | None
    start_ms: int
    end_ms: int
    scope: Mapping[str, Any]


@dataclass(frozen=True)
class Film:
    """What is known before any clip is made."""

    spans: Sequence[Span]
    shots: Sequence[Shot]
    scope: Mapping[str, Any]

    @property
    def duration_ms(self) -> int:
        return self.spans[-1].end_ms

    def stretches(self, during: str) -> list[Stretch]:
        """A film of one scene is all beginning: what belongs to its last one is left out."""
        if during == "film":
            return [Stretch("", None, 0, self.duration_ms, self.scope)]
        if during == "shot":
            return [self._shot(shot) for shot in self.shots]
        found = [self._scene(span) for span in self.spans]
        if during == "first":
            return found[:1]
        return (found[-1:] if len(found) > 1 else []) if during == "last" else found

    def _scene(self, span: Span) -> Stretch:
        return Stretch(span.key, span.key, span.start_ms, span.end_ms, self._scoped(span))

    def _shot(self, shot: Shot) -> Stretch:
        asset, media = shot.visual.asset, shot.visual.media
        # A clip that ends early holds its last frame, so its own length is no fault of the timeline.
        source = AssetSource(asset_id=asset.asset_id, sha256=asset.sha256, media=media, duration_ms=None)
        scope = self._scoped(shot.span) | {"shot": {"source": source.model_dump(mode="json"), "media": media}}
        return Stretch(shot.key, shot.span.key, shot.start_ms, shot.end_ms, scope)

    def _scoped(self, span: Span) -> dict[str, Any]:
        scene = {
            "text": span.scene.narration,
            "number": span.number,
            "count": len(self.spans),
            "speaker": span.scene.speaker or "",
        }
        return {**self.scope, "scene": scene}


def compile_timeline(template: Template, bindings: Bindings) -> Timeline:
    """The same bindings give the same timeline.

    Raises RenderRefused `slot_empty`, and TimelineRefused with the places in the template of all that does not compile.
    """
    _require(template, bindings)
    found = spans(bindings, template.rules)
    film = Film(found, shots(bindings, found), _scope(template, bindings))
    faults: list[Fault] = []
    tracks: list[Track] = [
        _track(number, track, film, template, bindings, faults) for number, track in enumerate(template.tracks)
    ]
    captions, font = _captions(template, film, faults), _font(template, bindings)
    if faults:
        raise TimelineRefused(faults)
    return Timeline(
        title=_title(bindings),
        fps=bindings.fps,
        duration_ms=film.duration_ms,
        canvases=list(bindings.canvases),
        tracks=[
            *(_in_font(track, font) for track in tracks),
            *words.captions(bindings, captions, found, font),
            words.voices(found),
            *words.music(bindings.music, template.sound, film.duration_ms),
        ],
    )


def _require(template: Template, bindings: Bindings) -> None:
    if faults := [fault for number, slot in enumerate(template.slots) for fault in _unfit(number, slot, bindings)]:
        raise TimelineRefused(faults)


def _unfit(number: int, slot: Slot, bindings: Bindings) -> Iterator[Fault]:
    value, place = bindings.slots.get(slot.key) or slot.default, f"/slots/{number}"
    if slot.required and slot.accepts != "visual" and not value:
        yield Fault("slot_empty", f"The template needs {slot.key}.", place, slot.help or f"Give {slot.key}.")
    if slot.accepts == "colour" and value and not (isinstance(value, str) and re.fullmatch(COLOUR, value)):
        yield Fault("slot_invalid", f"{slot.key} is no colour.", place, "Write it as #RRGGBB.")
    if value and slot.accepts in {"text", "colour"} and not isinstance(value, str):
        yield Fault("slot_invalid", f"{slot.key} takes words, not a file.", place, "Give it as text.")
    if value and slot.accepts in {"image", "font"} and isinstance(value, str):
        yield Fault("slot_invalid", f"{slot.key} takes a file, not words.", place, "Connect it to its port.")


def _title(bindings: Bindings) -> str:
    return bindings.title.strip() or bindings.script.title.strip()


def _scope(template: Template, bindings: Bindings) -> dict[str, Any]:
    defaults = {slot.key: slot.default for slot in template.slots if slot.default is not None}
    given = {key: value for key, value in bindings.slots.items() if value and template.slot(key)}
    values = {key: _value(value) for key, value in {**defaults, **given}.items()}
    return {"title": _title(bindings), "cta": bindings.script.cta.strip(), "slots": values}


def _font(template: Template, bindings: Bindings) -> AssetSource | None:
    """What somebody has given for a slot that takes a font: all text is set in it."""
    given = [bindings.slots.get(slot.key) for slot in template.slots if slot.accepts == "font"]
    found = next((one for one in given if isinstance(one, MediaRef)), None)
    return AssetSource(asset_id=found.asset_id, sha256=found.sha256, media="font") if found else None


def _in_font(track: Track, font: AssetSource | None) -> Track:
    """The track with its text in this font, but for text that has one of its own."""
    if font is None or not isinstance(track, VideoTrack | OverlayTrack):
        return track
    clips: Any = [_set(clip, font) for clip in track.clips]
    return track.model_copy(update={"clips": clips})


def _set(clip: VideoClip | OverlayClip, font: AssetSource) -> VideoClip | OverlayClip:
    if isinstance(clip, OverlayClip):
        return clip if clip.font else clip.model_copy(update={"font": font})
    if isinstance(clip.source, TextSource) and clip.source.font is None:
        return clip.model_copy(update={"source": clip.source.model_copy(update={"font": font})})
    return clip


def _value(value: str | MediaRef | None) -> Any:
    return value.model_dump(mode="json") if isinstance(value, MediaRef) else value


# --- tracks -----------------------------------------------------------------------------------------------------------


def _track(  # noqa: PLR0917
    number: int, track: TemplateTrack, film: Film, template: Template, bindings: Bindings, faults: list[Fault]
) -> Track:
    made = [
        clip
        for index, placeholder in enumerate(track.clips)
        for clip in _clips(placeholder, f"{number}_{index}", track.kind, film, faults)
    ]
    made.sort(key=lambda clip: clip.start_ms)
    if track.kind == "overlay":
        return OverlayTrack(id=f"o{number}", clips=made)
    first = all(other.kind != "video" for other in template.tracks[:number])
    clips = _arranged(made, template, bindings) if first else made
    return VideoTrack(id=f"v{number}", clips=clips)


def _clips(placeholder: Placeholder, place: str, kind: str, film: Film, faults: list[Fault]) -> Iterator[Any]:
    track, index = place.split("_")
    pointer = f"/tracks/{track}/clips/{index}/look"
    model = VideoClip if kind == "video" else OverlayClip
    for stretch in film.stretches(placeholder.during):
        start = stretch.start_ms + placeholder.start_ms
        end = min(stretch.end_ms, start + placeholder.duration_ms) if placeholder.duration_ms else stretch.end_ms
        look = _filled(placeholder.look, stretch)
        if end <= start or look is None:
            continue
        # The track that fills the canvas has the shorter names.
        name = "_".join(part for part in (kind[0] + place.removeprefix("0_0"), stretch.key) if part)
        times = {"id": name, "start_ms": start, "duration_ms": end - start}
        found = {**look, **times, **({"scene": stretch.scene} if kind == "video" else {})}
        if wrong := _wrong(model, found, pointer):
            faults += [fault for fault in wrong if fault not in faults]
        else:
            yield model.model_validate(found)


def _filled(look: Mapping[str, Any], stretch: Stretch) -> dict[str, Any] | None:
    """With values for references; None where one leads nowhere, or where there is nothing to say."""
    try:
        found: dict[str, Any] = resolve(dict(look), stretch.scope, ROOTS)
    except Missing:
        return None
    for name, most in LONGEST_TEXT.items():
        if isinstance(found.get(name), str):
            found[name] = found[name].strip()[:most]
    return None if _says_nothing(look, found) or _says_nothing(look.get("source"), found.get("source")) else found


def _says_nothing(asked: Any, found: Any) -> bool:
    """Whether there was to be a text, and nobody has given one."""
    return isinstance(asked, Mapping) and bool(asked.get("text")) and not found["text"].strip()


def _wrong(model: type[Contract], look: dict[str, Any], pointer: str) -> list[Fault]:
    strange = [name for name in look if name not in model.model_fields]
    unknown = [_strange(name, sorted(model.model_fields), pointer) for name in strange]
    try:
        model.model_validate(look)
    except ValidationError as error:
        return [*unknown, *misfits(look, error, pointer)]
    return unknown


def _strange(name: str, known: Sequence[str], pointer: str) -> Fault:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
    return Fault("unknown_field", f"A clip has no {name}.", f"{pointer}/{name}", hint)


def _captions(template: Template, film: Film, faults: list[Fault]) -> Captions:
    look = template.captions
    try:
        colours = resolve({"colour": look.colour, "accent": look.accent}, film.scope, ROOTS)
    except Missing:
        colours = {"colour": "#FFFFFF", "accent": "#FFD23F"}
    try:
        return Captions.model_validate({**look.model_dump(), **colours})
    except ValidationError as error:
        faults += misfits(colours, error, "/captions")
        return Captions()


# --- the track that fills the canvas ----------------------------------------------------------------------------------


def _arranged(clips: Sequence[VideoClip], template: Template, bindings: Bindings) -> list[VideoClip]:
    """With camera moves and transitions in turn, where the template does not say them of the clip itself."""
    return [
        clip.model_copy(
            update={
                "motion": _motion(clip, template.rules.moves, index),
                "transition": _transition(clip, template.rules.transitions, bindings.transition, index),
            }
        )
        for index, clip in enumerate(clips)
    ]


def _motion(clip: VideoClip, moves: Sequence[str | Travel], index: int) -> Motion:
    source = clip.source
    if "motion" in clip.model_fields_set or not isinstance(source, AssetSource) or source.media != "image":
        return clip.motion
    move = moves[index % len(moves)]
    return _travel(move, clip.duration_ms) if isinstance(move, Travel) else Motion.model_validate({"kind": move})


def _travel(move: Travel, duration_ms: int) -> Motion:
    # The same speed for short and long scenes, within what a picture bears.
    travel = min(0.22, max(0.09, 0.03 * duration_ms / 1000))
    zooms = {"in": (1.02, 1.02 + travel), "out": (1.02 + travel, 1.02), "along": (1.16, 1.16)}
    start, end = zooms[move.way]
    return Motion(from_zoom=start, to_zoom=end, from_focus=move.start, to_focus=move.end)


def _transition(
    clip: VideoClip, usual: Sequence[Transition], asked: Transition | None, index: int
) -> Transition | None:
    if index == 0:
        return None
    chosen = asked or clip.transition or usual[(index - 1) % len(usual)]
    return None if chosen.kind == "cut" else chosen
