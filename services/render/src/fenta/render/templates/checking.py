"""Whether a template compiles: tried with sample material, all mistakes at once, each with its place in it."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from fenta.contracts.documents import MediaRef, Script, Segment, Speech, Word
from fenta.contracts.references import references
from fenta.contracts.templates import Captions, Placeholder, Rules, Slot, Sound, Template, TemplateTrack
from fenta.contracts.timeline import Canvas
from fenta.contracts.values import Contract
from fenta.render.errors import Fault, TimelineRefused
from fenta.render.faults import faults, misfits
from fenta.render.templates.bindings import Bindings, Visual
from fenta.render.templates.compiling import compile_timeline

KNOWN = ("title", "cta", "scene.text", "scene.number", "scene.count", "scene.speaker", "shot.source", "shot.media")
PICTURE = MediaRef(asset_id="asset_sample", sha256="0" * 64)
CANVAS = Canvas.of("9:16", "540p")
# What a clip is called says which placeholder it comes from; the first of the first track has the shortest name.
_PLACE = re.compile(r"[vo](\d+)_(\d+)(?:_|$)")
SENTENCES = ("Here is what it is about.", "This is the middle of it.", "And so it comes to its end.")


def checked(document: Any) -> Template:
    """Raises TimelineRefused with everything that is wrong."""
    try:
        template = Template.model_validate(document)
    except ValidationError as error:
        raise TimelineRefused([*_strangers(document), *misfits(document, error)]) from None
    wrong = [*_strangers(document), *_slot_faults(template), *_reference_faults(template)]
    wrong += _trial(template, full=True)
    wrong += [fault for fault in _trial(template, full=False) if fault not in wrong]
    if wrong:
        raise TimelineRefused(wrong)
    return template


def sample(
    template: Template,
    *,
    full: bool = True,
    canvas: Canvas = CANVAS,
    pictures: Sequence[MediaRef] = (PICTURE,),
    logo: MediaRef = PICTURE,
) -> Bindings:
    """Three scenes that say something; `full` fills the optional slots too. Pictures are taken in turn."""
    keys = [f"s{number}" for number in range(1, len(SENTENCES) + 1)]
    segments = [Segment(id=key, content=text, speaker="Ada") for key, text in zip(keys, SENTENCES, strict=True)]
    shown = [*keys, "outro"]
    return Bindings(
        script=Script(title="A title to look at", segments=segments, cta="Follow along"),
        visuals={key: Visual(pictures[at % len(pictures)]) for at, key in enumerate(shown)},
        speech={key: _said(text) for key, text in zip(keys, SENTENCES, strict=True)},
        canvases=(canvas,),
        slots={slot.key: value for slot in template.slots if (value := _filling(slot, logo, full=full))},
    )


def _filling(slot: Slot, logo: MediaRef, *, full: bool) -> str | MediaRef | None:
    # No font is drawn in a trial: there is none to show that would say anything.
    if slot.default or slot.accepts == "font" or not (full or slot.required):
        return None
    fillings: dict[str, str | MediaRef] = {"text": slot.key.replace("_", " ").title(), "colour": "#19E3B1"}
    return fillings.get(slot.accepts, logo)


def _said(text: str) -> Speech:
    words = [Word(text=word, start_ms=400 * at, end_ms=400 * at + 400) for at, word in enumerate(text.split())]
    audio = MediaRef(asset_id="asset_voice", sha256="0" * 64)
    return Speech(audio=audio, text=text, words=words, language="en", voice="none", duration_ms=words[-1].end_ms)


# --- the trial --------------------------------------------------------------------------------------------------------


def _trial(template: Template, *, full: bool) -> list[Fault]:
    try:
        timeline = compile_timeline(template, sample(template, full=full))
    except TimelineRefused as refused:
        return list(refused.faults)
    found = faults(timeline, timeline.canvases, lambda texts: "")
    clips = [[clip.id for clip in track.clips] for track in timeline.tracks]
    return [Fault(fault.code, fault.message, _origin(fault.pointer, clips), fault.hint) for fault in found]


def _origin(pointer: str, clips: Sequence[Sequence[str]]) -> str:
    """The place in the template of what stands at a place of the timeline that came of it."""
    steps = pointer.split("/")[1:]
    if len(steps) < 4 or steps[0] != "tracks":
        return "/tracks"
    named = _PLACE.match(clips[int(steps[1])][int(steps[3])])
    track, index = named.groups() if named else ("0", "0")
    rest = [step for step in steps[4:] if step not in {"start_ms", "duration_ms"}]
    return "/".join(["", "tracks", track, "clips", index, "look", *rest])


# --- what would be overlooked -----------------------------------------------------------------------------------------


def _strangers(document: Any) -> list[Fault]:
    """Fields that nobody knows: readers ignore them, so that a slip of the pen would do nothing, silently."""
    if not isinstance(document, Mapping):
        return []
    parts: list[tuple[type[Contract], Any, str]] = [
        (Template, document, ""),
        (Rules, document.get("rules"), "/rules"),
        (Captions, document.get("captions"), "/captions"),
        (Sound, document.get("sound"), "/sound"),
        *((Slot, one, f"/slots/{at}") for at, one in _listed(document.get("slots"))),
    ]
    for at, track in _listed(document.get("tracks")):
        clips = _listed(track.get("clips")) if isinstance(track, Mapping) else []
        parts += [(TemplateTrack, track, f"/tracks/{at}")]
        parts += [(Placeholder, clip, f"/tracks/{at}/clips/{number}") for number, clip in clips]
    return [fault for model, part, place in parts for fault in _unknown(model, part, place)]


def _listed(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(value)) if isinstance(value, list) else []


def _unknown(model: type[Contract], part: Any, place: str) -> Iterator[Fault]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    for name in part if isinstance(part, Mapping) else ():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(names)}."
            yield Fault("unknown_field", f"There is no field {name}.", f"{place}/{name}", hint)


def _slot_faults(template: Template) -> Iterator[Fault]:
    for number, slot in enumerate(template.slots):
        if slot.key in {other.key for other in template.slots[:number]}:
            yield Fault("slot_repeated", f"The slot {slot.key} is there twice.", f"/slots/{number}/key", "Rename one.")


def _reference_faults(template: Template) -> Iterator[Fault]:
    known = [*KNOWN, *(f"slots.{slot.key}" for slot in template.slots)]
    looks = [
        (f"/tracks/{at}/clips/{number}/look", clip.look)
        for at, track in enumerate(template.tracks)
        for number, clip in enumerate(track.clips)
    ]
    colours = {"colour": template.captions.colour, "accent": template.captions.accent}
    for place, look in [*looks, ("/captions", colours)]:
        for path in references(look):
            if not any(path == name or path.startswith(f"{name}.") for name in known):
                near = difflib.get_close_matches(path, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
                yield Fault("reference_unknown", f"{path} leads nowhere.", place, hint)
