"""Title and end card: large type with a short bar, coming in line by line."""

from collections.abc import Iterator
from dataclasses import dataclass

from fenta.contracts.timeline import Canvas, OverlayClip
from fenta.render.captions import fonts
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Style, colour, marked_up, rounded
from fenta.render.captions.faces import Face
from fenta.render.captions.layout import wrap
from fenta.render.captions.marks import Mark, pixels
from fenta.render.captions.text import is_right_to_left

INK = "#0A0C12"
LEADING = 1.1
STAGGER_MS = 90
LARGEST, SMALLEST = 118 / 1080, 56 / 1080
DETAIL_EM = 50 / 1080


@dataclass(frozen=True)
class Card:
    """One overlay on one canvas: its box in pixels, its lines, its size of type."""

    clip: OverlayClip
    canvas: Canvas
    accent: str
    lines: tuple[str, ...]
    em: float
    own: Face | None = None

    @property
    def unit(self) -> float:
        """A thousandth of the canvas' shorter side; all distances follow it."""
        return _side(self.canvas) / 1000

    @property
    def left(self) -> float:
        return pixels(self.clip, self.canvas)[0]

    @property
    def top(self) -> float:
        return pixels(self.clip, self.canvas)[1]

    @property
    def width(self) -> float:
        return pixels(self.clip, self.canvas)[2]

    @property
    def right_to_left(self) -> bool:
        return is_right_to_left(self.clip.text)

    @property
    def cap_line(self) -> float:
        """Where the capitals of the first line begin; above it a font cell has room for accents."""
        return self.top + 0.41 * self.em

    @property
    def bottom(self) -> float:
        """Below the descenders of the last line."""
        return self.top + ((len(self.lines) - 1) * LEADING + 1.37) * self.em


def _side(canvas: Canvas) -> int:
    return min(canvas.width, canvas.height)


def styles(clip: OverlayClip, canvas: Canvas, em: float, own: Face | None = None) -> tuple[Style, Style]:
    """Of the large type and of the small one."""
    outline = 6 * _side(canvas) / 1000
    spacing = round(-em * 0.012, 2)
    large = Style(
        f"{clip.id}Large",
        own or fonts.DISPLAY,
        em,
        clip.colour or "#FFFFFF",
        outline_colour=INK,
        outline=outline,
        spacing=spacing,
    )
    return large, Style(f"{clip.id}Small", own or fonts.TEXT, DETAIL_EM * _side(canvas), colour=INK)


def card(clip: OverlayClip, canvas: Canvas, accent: str, own: Face | None = None) -> Card:
    """Choose the largest type in which the text fits its box."""
    face = own or fonts.DISPLAY
    _, _, width, height = pixels(clip, canvas)
    em = LARGEST * _side(canvas)
    while True:
        lines = wrap(clip.text, face=face, max_width=width / em)
        widest = max((fonts.width(line, face) for line in lines), default=0) * em
        fits = widest <= width and (len(lines) * LEADING + 0.3) * em <= height
        if fits or em <= SMALLEST * _side(canvas):
            return Card(clip, canvas, accent, tuple(lines), em, own)
        em *= 0.94


def marks(clip: OverlayClip, canvas: Canvas, accent: str, own: Face | None = None) -> list[Mark]:
    """Of a title or an end card."""
    one = card(clip, canvas, clip.accent or accent, own)
    centred = clip.style == "end_card"
    lines = [_line(one, index, line, centred) for index, line in enumerate(one.lines)]
    return [_bar(one, centred), *lines, *(_pill(one) if clip.detail else ())]


def _leaves(one: Card) -> int:
    """How long the card fades out; an end card stays to the last frame."""
    return 0 if one.clip.style == "end_card" else 220


def _edge(one: Card, centred: bool) -> tuple[int, float]:
    """Alignment and x: to the side where the script begins, or in the middle."""
    if centred:
        return 8, one.left + one.width / 2
    return (9, one.left + one.width) if one.right_to_left else (7, one.left)


def _bar(one: Card, centred: bool) -> Mark:
    anchor, x = _edge(one, centred)
    height, length = 10 * one.unit, 104 * one.unit
    y = one.cap_line - 48 * one.unit
    grow = f"\\pos({x:.1f},{y:.1f})\\fscx0\\t(0,320,0.5,\\fscx100)\\fad(80,{_leaves(one)})"
    look = f"\\bord0\\shad0\\1c{colour(one.accent)}&\\p1"
    _, small = styles(one.clip, one.canvas, one.em, one.own)
    body = f"{rounded(length, height, height / 2)}{{\\p0}}"
    return Mark(small, anchor, x, y, body, look=look, layer=3, entrance=grow)


def _line(one: Card, index: int, line: str, centred: bool) -> Mark:
    anchor, x = _edge(one, centred)
    y = one.top + index * one.em * LEADING
    rise = f"\\move({x:.1f},{y + 34 * one.unit:.1f},{x:.1f},{y:.1f},0,300)\\fad(220,{_leaves(one)})"
    direction = RIGHT_TO_LEFT_MARK if one.right_to_left else ""
    style, _ = styles(one.clip, one.canvas, one.em, one.own)
    # The blurred outline is all the shadow there is: a layer of its own would cost as much as all captions.
    return Mark(
        style, anchor, x, y, direction + marked_up(line, style), look=f"\\blur{4 * one.unit:.1f}", layer=4,
        entrance=rise, delay_ms=STAGGER_MS * (index + 1), line=line,
    )  # fmt: skip


def _pill(one: Card) -> Iterator[Mark]:
    """The call to action: dark type on a rounded field of the accent colour."""
    _, style = styles(one.clip, one.canvas, one.em, one.own)
    padding = style.em * 0.85
    lines = wrap(one.clip.detail, face=style.face, max_width=(one.width - 2 * padding) / style.em)
    widest = max(fonts.width(line, style.face) for line in lines) * style.em
    height = len(lines) * style.em * 1.3 + style.em * 0.9
    x, y = one.canvas.width / 2, one.bottom + 40 * one.unit + height / 2
    delay = STAGGER_MS * (len(one.lines) + 2)
    shape = rounded(widest + 2 * padding, height, min(height / 2, style.em * 1.1))
    look = f"\\bord0\\shad0\\1c{colour(one.accent)}&\\p1"
    yield Mark(style, 5, x, y, f"{shape}{{\\p0}}", look, 5, entrance=_popping(x, y), delay_ms=delay)
    for index, line in enumerate(lines):
        row = y + (index - (len(lines) - 1) / 2) * style.em * 1.3
        text = marked_up(line, style)
        yield Mark(style, 5, x, row, text, "\\bord0\\shad0", 6, entrance=_popping(x, row), delay_ms=delay, line=line)


def _popping(x: float, y: float) -> str:
    return f"\\pos({x:.1f},{y:.1f})\\fscx80\\fscy80\\t(0,180,0.5,\\fscx100\\fscy100)\\fad(140,0)"
