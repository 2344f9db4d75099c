"""The text of one film on one canvas, ready to be burned in: an ASS file and the fonts for it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fenta.contracts.timeline import TextSource, Timeline
from fenta.render import timeline as plans
from fenta.render.captions import ass, fonts, lines, overlays
from fenta.render.captions.ass import Event, Style
from fenta.render.captions.faces import FOLDER, Face
from fenta.render.captions.glyphs import Drawing, drawing, written
from fenta.render.errors import Fault
from fenta.render.timeline import FramePlan, burned, captions, own_face

ACCENT = "#FFD23F"

_FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer>{families}</prefer></alias></fontconfig>
"""


@dataclass(frozen=True)
class Burn:
    """Styles and events of the whole film."""

    plan: FramePlan
    styles: tuple[Style, ...]
    events: tuple[Event, ...]

    def document(self, first: int = 0, last: int | None = None) -> str:
        """The ASS file of the frames `[first, last)`, with nothing in it that is not seen there."""
        seen = [event for event in self.events if event.last > first and (last is None or event.first < last)]
        used = {event.style for event in seen}
        styles = [style for style in self.styles if style.name in used]
        return ass.document(self.plan.canvas, self.plan.fps, styles, seen, origin=first)

    def probes(self, first: int, last: int) -> list[int]:
        """Within a segment one frame of each line of captions, at which its text must be in the picture."""
        middles = [(event.first + event.last) // 2 for event in self.events if event.probed]
        return sorted({middle for middle in middles if first <= middle < last})


def burn(plan: FramePlan) -> Burn:
    track = captions(plan.timeline)
    accent = track.accent if track else ACCENT
    styles, events = overlays.events(plans.overlays(plan.timeline), plan, accent)
    if track and burned(plan.timeline):
        more_styles, more_events = lines.events(track, plan.canvas, plan.fps, own_face(plan, track.font))
        styles, events = [*styles, *more_styles], [*events, *more_events]
    return Burn(plan, tuple(styles), tuple(events))


def cautions(timeline: Timeline) -> list[Fault]:
    """What is drawn in another way than it was written, or not at all."""
    track = captions(timeline)
    language = track.language if track else ""
    texts = [clip.text for clip in burned(timeline)]
    texts += [text for clip in plans.overlays(timeline) for text in (clip.text, clip.detail)]
    texts += [clip.source.text for clip in plans.pictures(timeline) if isinstance(clip.source, TextSource)]
    return [*_cautions([drawing(text) for text in texts], language)]


def _cautions(drawings: Sequence[Drawing], language: str) -> Iterator[Fault]:
    nearest = {typed: shown for one in drawings for typed, shown in one.nearest.items()}
    if nearest:
        pairs = ", ".join(f"{typed} is drawn as {written(shown)}" for typed, shown in sorted(nearest.items()))
        yield Fault("glyph_replaced", f"No font here has these characters: {pairs}.")
    if lost := _characters(one.lost for one in drawings):
        yield Fault("glyph_left_out", f"No font here can draw these characters, so they are left out: {lost}")
    if strange := _characters(fonts.borrowed(one.text, language) for one in drawings):
        yield Fault(
            "font_replaced", f"The font for {language} has not all characters; Chinese shapes are used for: {strange}"
        )


def _characters(found: Iterable[Iterable[str]]) -> str:
    """Each once, sorted."""
    return "".join(sorted({character for characters in found for character in characters}))


def missing_glyphs(texts: list[str]) -> str:
    """The characters for want of which any of these texts says nothing more, each once, sorted."""
    return _characters(drawing(text).lost for text in texts if drawing(text).empty)


def install_fonts(folder: Path, own: Iterable[Face] = ()) -> dict[str, str]:
    """Make the fonts known under `folder`, as `fonts`; returns the environment that ffmpeg needs to find them."""
    there, cache, file = folder / "fonts", folder / "fontconfig", folder / "fonts.conf"
    cache.mkdir(exist_ok=True)
    there.mkdir(exist_ok=True)
    for path in (*FOLDER.glob("*.ttf"), *(face.path for face in own)):
        with suppress(FileExistsError):
            (there / path.name).symlink_to(path)
    known = (fonts.CAPTION, *fonts.OTHER_SCRIPTS)
    families = "".join(f"<family>{face.family}</family>" for face in known)
    # Another worker's ffmpeg may be reading it: at no moment is it half written.
    fresh = folder / f"fonts-{os.getpid()}.conf"
    fresh.write_text(_FONTCONFIG.format(fonts=FOLDER, cache=cache.resolve(), families=families))
    fresh.replace(file)
    return {"FONTCONFIG_FILE": str(file.resolve())}
