"""The overlays beside title and end card: where each of their lines and fields stands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from fenta.contracts.timeline import Canvas, OverlayClip, OverlayStyle
from fenta.render.captions import fonts
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Style, colour, marked_up, rounded
from fenta.render.captions.faces import Face
from fenta.render.captions.glyphs import drawable
from fenta.render.captions.layout import wrap
from fenta.render.captions.marks import Mark, pixels
from fenta.render.captions.text import is_right_to_left

INK, PAPER = "#0A0C12", "#FFFFFF"
SOFT = 5.0


@dataclass(frozen=True)
class Plate:
    """An overlay on a canvas; `accent` is the film's own where the clip has none."""

    clip: OverlayClip
    canvas: Canvas
    accent: str
    # The longest text that will stand there, where it changes: its type fits all of them.
    longest: str = ""
    own: Face | None = None

    def face(self, usual: Face) -> Face:
        return self.own or usual

    @property
    def unit(self) -> float:
        """A thousandth of the canvas' shorter side."""
        return min(self.canvas.width, self.canvas.height) / 1000

    @property
    def box(self) -> tuple[float, float, float, float]:
        return pixels(self.clip, self.canvas)

    @property
    def right_to_left(self) -> bool:
        return is_right_to_left(self.clip.text)

    def style(self, name: str, face: Face, em: float, usual: str) -> Style:
        return Style(f"{self.clip.id}{name}", face, em, colour=self.clip.colour or usual, outline_colour=INK)

    def fitted(self, face: Face, largest: float, smallest: float, room: tuple[float, float], leading: float) -> "Set":
        """The largest type, in thousandths of the shorter side, in which the text fits so many pixels."""
        sizes = (largest * self.unit, smallest * self.unit)
        if self.longest:
            em = set_in(self.longest, face, sizes, room, leading).em
            sizes = (em, em)
        return set_in(self.clip.text, face, sizes, room, leading)


@dataclass(frozen=True)
class Set:
    """Lines, the size of their type and the distance between them, in pixels."""

    lines: tuple[str, ...]
    face: Face
    em: float
    leading: float

    @property
    def widest(self) -> float:
        return max((fonts.width(line, self.face) for line in self.lines), default=0) * self.em

    @property
    def height(self) -> float:
        return len(self.lines) * self.leading * self.em


def set_in(text: str, face: Face, sizes: tuple[float, float], room: tuple[float, float], leading: float) -> Set:
    """Between the largest and the smallest size the largest one that fits; the smallest one if none does."""
    em, smallest = sizes
    while True:
        found = Set(tuple(wrap(text, face=face, max_width=room[0] / em)), face, em, leading)
        if em <= smallest or (found.widest <= room[0] and found.height <= room[1]):
            return found
        em = max(smallest, em * 0.94)


def line(style: Style, text: str, anchor: int, x: float, y: float, *, look: str = "", layer: int = 6) -> Mark:
    mark = RIGHT_TO_LEFT_MARK if is_right_to_left(text) else ""
    return Mark(style, anchor, x, y, mark + marked_up(text, style), look=look, layer=layer, line=text)


def field(
    style: Style, box: tuple[float, float, float, float], fill: str, *, radius: float = 0, layer: int = 3
) -> Mark:
    """A rectangle of one colour: left, top, width, height."""
    shape = rounded(box[2], box[3], radius)
    look = f"\\bord0\\shad0\\1c{colour(fill)}&\\p1"
    return Mark(style, 7, box[0], box[1], f"{shape}{{\\p0}}", look=look, layer=layer)


def _soft(plate: Plate, em: float) -> str:
    """An outline that is a shadow at once, thinner around small type."""
    width = min(SOFT * plate.unit, 0.065 * em)
    return f"\\bord{width:.1f}\\blur{width * 0.7:.1f}"


def _rows(found: Set, style: Style, anchor: int, x: float, middle: float, look: str = "") -> Iterator[Mark]:  # noqa: PLR0917
    """Lines around a middle; 4, 5 and 6 anchor a line at its left, middle and right."""
    for row, text in enumerate(found.lines):
        y = middle + (row - (len(found.lines) - 1) / 2) * found.leading * found.em
        yield line(style, text, anchor, x, y, look=look)


def _lower_third(plate: Plate) -> Iterator[Mark]:
    """A name and what it stands for, on a dark field with a bar in the accent colour."""
    (left, top, width, height), unit = plate.box, plate.unit
    padding, bar = 30 * unit, 11 * unit
    name = plate.fitted(plate.face(fonts.CAPTION), 60, 36, (width - 2 * padding - bar, height * 0.62), 1.2)
    detail = set_in(
        plate.clip.detail,
        plate.face(fonts.TEXT),
        (38 * unit, 27 * unit),
        (width - 2 * padding - bar, height * 0.36),
        1.3,
    )
    wide = max(name.widest, detail.widest) + 2 * padding + bar
    high = name.height + detail.height + 1.1 * padding
    y = top + height - high
    x = left + width - wide if plate.right_to_left else left
    style = plate.style("Name", plate.face(fonts.CAPTION), name.em, PAPER)
    yield replace(field(style, (x, y, wide, high), plate.clip.ground or INK), opacity=0.86)
    yield field(style, (x + wide - bar if plate.right_to_left else x, y, bar, high), plate.accent, layer=4)
    anchor, at = (6, x + wide - bar - padding) if plate.right_to_left else (4, x + bar + padding)
    yield from _rows(name, style, anchor, at, y + 0.5 * padding + name.height / 2)
    small = plate.style("Detail", plate.face(fonts.TEXT), detail.em, "#D7DAE2")
    yield from _rows(detail, small, anchor, at, y + 0.55 * padding + name.height + detail.height / 2)


def _kicker(plate: Plate) -> Iterator[Mark]:
    """A word or two on a field of the accent colour."""
    (left, top, width, height), unit = plate.box, plate.unit
    padding = 20 * unit
    words = plate.fitted(plate.face(fonts.CAPTION), 36, 24, (width - 2 * padding, height), 1.3)
    style = plate.style("Words", plate.face(fonts.CAPTION), words.em, PAPER if _is_dark(plate.accent) else INK)
    wide, high = words.widest + 2 * padding, words.height + 0.5 * padding
    x = left + width - wide if plate.right_to_left else left
    yield field(style, (x, top, wide, high), plate.accent, radius=5 * unit)
    yield from _rows(words, style, 5, x + wide / 2, top + high / 2)


def _headline(plate: Plate) -> Iterator[Mark]:
    """Lines on fields of their own that meet, with a bar in the accent colour: what newspapers print on films."""
    (left, top, width, height), unit = plate.box, plate.unit
    padding, bar = 24 * unit, 12 * unit
    found = plate.fitted(plate.face(fonts.CAPTION), 78, 44, (width - 2 * padding - bar, height), 1.3)
    style = plate.style("Line", plate.face(fonts.CAPTION), found.em, INK)
    step, ground = found.leading * found.em, plate.clip.ground or PAPER
    side = plate.right_to_left
    yield field(style, (left + width - bar if side else left, top, bar, found.height), plate.accent, layer=4)
    for row, text in enumerate(found.lines):
        wide = fonts.width(text, found.face) * found.em + 2 * padding
        x = left + width - bar - wide if side else left + bar
        # A pixel more, so that no seam is seen between them.
        yield field(style, (x, top + row * step, wide, step + 1), ground)
        anchor, at = (6, x + wide - padding) if side else (4, x + padding)
        yield line(style, text, anchor, at, top + (row + 0.5) * step)


def _heading(plate: Plate) -> Iterator[Mark]:
    """Large type without a field; small type below it."""
    (left, top, width, height), unit = plate.box, plate.unit
    found = plate.fitted(plate.face(fonts.DISPLAY), 84, 44, (width, height), 1.14)
    anchor, x = (6, left + width) if plate.right_to_left else (4, left)
    style = plate.style("Large", plate.face(fonts.DISPLAY), found.em, PAPER)
    look = _soft(plate, found.em) if not plate.clip.colour else "\\bord0"
    yield from _rows(found, style, anchor, x, top + found.height / 2, look)
    if plate.clip.detail:
        detail = set_in(plate.clip.detail, plate.face(fonts.TEXT), (36 * unit, 26 * unit), (width, height), 1.3)
        small = replace(
            style, name=f"{plate.clip.id}Small", face=plate.face(fonts.TEXT), em=detail.em, colour=plate.accent
        )
        edge = "\\bord0" if plate.clip.colour else _soft(plate, detail.em)
        yield from _rows(detail, small, anchor, x, top + found.height + 12 * unit + detail.height / 2, edge)


def _quote(plate: Plate) -> Iterator[Mark]:
    """Somebody's words in the middle, under a large mark, with their name below."""
    (left, top, width, height), unit = plate.box, plate.unit
    found = plate.fitted(plate.face(fonts.TEXT), 84, 34, (width, height * 0.72), 1.28)
    middle, x = top + height / 2, left + width / 2
    style = plate.style("Words", plate.face(fonts.TEXT), found.em, PAPER)
    sign = plate.style("Sign", plate.face(fonts.DISPLAY), 250 * unit, PAPER)
    first = middle - found.height / 2
    look = f"\\1c{colour(plate.accent)}&\\bord0"
    yield line(sign, "\u201c", 5, x, first - 8 * unit, look=look, layer=5)
    yield from _rows(found, style, 5, x, middle, _soft(plate, found.em))
    if plate.clip.detail:
        name = plate.style("Name", plate.face(fonts.CAPTION), 36 * unit, PAPER)
        y = middle + found.height / 2 + 78 * unit
        yield field(name, (x - 32 * unit, y - 44 * unit, 64 * unit, 5 * unit), plate.accent, radius=2.5 * unit)
        yield line(
            name, drawable(plate.clip.detail), 5, x, y, look=f"\\1c{colour(plate.accent)}&{_soft(plate, name.em)}"
        )


def _counter(plate: Plate) -> Iterator[Mark]:
    """A number as large as it can be, and what it counts."""
    (left, top, width, height), unit = plate.box, plate.unit
    found = plate.fitted(plate.face(fonts.DISPLAY), 300, 60, (width, height * 0.8), 1.1)
    style = plate.style("Number", plate.face(fonts.DISPLAY), found.em, plate.accent)
    yield from _rows(found, style, 5, left + width / 2, top + found.height / 2, _soft(plate, found.em))
    if plate.clip.detail:
        detail = set_in(plate.clip.detail, plate.face(fonts.CAPTION), (52 * unit, 30 * unit), (width, height), 1.25)
        small = replace(style, name=f"{plate.clip.id}What", face=plate.face(fonts.CAPTION), em=detail.em, colour=PAPER)
        middle = top + found.height + detail.height / 2
        yield from _rows(detail, small, 5, left + width / 2, middle, _soft(plate, detail.em))


def _progress(plate: Plate) -> Iterator[Mark]:
    """How much of its time is over: a bar that grows."""
    (left, top, width, height), style = plate.box, plate.style("Bar", plate.face(fonts.TEXT), 20, PAPER)
    radius = min(width, height) / 2
    yield replace(field(style, (left, top, width, height), plate.clip.ground or PAPER, radius=radius), opacity=0.35)
    yield replace(field(style, (left, top, width, height), plate.accent, radius=radius, layer=4), grows=True)


def _watermark(plate: Plate) -> Iterator[Mark]:
    """A name, small and pale, at the nearer side."""
    left, top, width, height = plate.box
    found = plate.fitted(plate.face(fonts.TEXT), 32, 22, (width, height), 1.2)
    anchor, x = (6, left + width) if left + width / 2 > plate.canvas.width / 2 else (4, left)
    style = plate.style("Name", plate.face(fonts.TEXT), found.em, PAPER)
    yield from (
        replace(mark, opacity=0.62) for mark in _rows(found, style, anchor, x, top + height / 2, _soft(plate, found.em))
    )


def _is_dark(hexadecimal: str) -> bool:
    red, green, blue = (int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 140


PLATES: Mapping[OverlayStyle, Callable[[Plate], Iterator[Mark]]] = {
    "lower_third": _lower_third,
    "kicker": _kicker,
    "headline": _headline,
    "heading": _heading,
    "quote": _quote,
    "counter": _counter,
    "progress": _progress,
    "watermark": _watermark,
}


def marks(plate: Plate) -> list[Mark]:
    return list(PLATES[plate.clip.style](plate))
