"""ASS, the format in which libass takes text: styles, events, times in centiseconds, colours back to front."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fenta.contracts.timeline import Canvas
from fenta.render.captions import fonts
from fenta.render.captions.faces import Face
from fenta.render.captions.stickers import Manner, with_emoji
from fenta.render.captions.text import escape

RIGHT_TO_LEFT_MARK = "\u200f"

# Only our own line breaks hold (2), borders follow the picture's size, and text is converted as the picture is.
_HEADER = """[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 2
ScaledBorderAndShadow: yes
YCbCr Matrix: {matrix}

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
{styles}

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
{events}
"""


@dataclass(frozen=True)
class Style:
    """How a kind of text looks; sizes are in pixels, colours `#rrggbb`."""

    name: str
    face: Face
    em: float
    colour: str = "#FFFFFF"
    outline_colour: str = "#0B0E14"
    outline: float = 0.0
    shadow: float = 0.0
    spacing: float = 0.0
    # The colour of words before they are swept; whether text stands in a field of the outline's colour; whose shapes
    # Chinese characters have.
    unsung: str = "#FFFFFF"
    boxed: bool = False
    language: str = ""
    emoji: Manner = "colour"

    def line(self) -> str:
        size = fonts.font_size(self.face, self.em)
        colours = f"{colour(self.colour)},{colour(self.unsung)},{colour(self.outline_colour)},{colour('#000000', 0.45)}"
        # Encoding -1 lets libass find the direction of a text with tags in it; with 1 tagged Arabic is reversed.
        return (
            f"Style: {self.name},{self.face.family},{size},{colours},0,0,0,0,100,100,{self.spacing},0,"
            f"{3 if self.boxed else 1},{self.outline},{self.shadow},5,0,0,0,-1"
        )

    def tags(self) -> dict[str, str]:
        """What the tags of a text in this style are until it sets them."""
        colours = {"1c": self.colour, "2c": self.unsung, "3c": self.outline_colour}
        numbers = {"bord": self.outline, "shad": self.shadow, "blur": 0, "fsp": self.spacing}
        return {
            **{tag: f"{colour(value)}&" for tag, value in colours.items()},
            **{tag: f"{value}" for tag, value in numbers.items()},
            "1a": "&H00&",
            "alpha": "&H00&",
        }


@dataclass(frozen=True)
class Event:
    """Text from one frame up to another. `probed` says that it must be seen in the middle of that time."""

    first: int
    last: int
    style: str
    text: str
    layer: int = 0
    probed: bool = False


def colour(hexadecimal: str, opacity: float = 1.0) -> str:
    red, green, blue = hexadecimal[1:3], hexadecimal[3:5], hexadecimal[5:7]
    return f"&H{round(255 * (1 - opacity)):02X}{blue}{green}{red}".upper()


def document(
    canvas: Canvas,
    fps: int,
    styles: Sequence[Style],
    events: Iterable[Event],
    *,
    origin: int = 0,
    matrix: str = "TV.709",
) -> str:
    """A whole ASS file whose time 0 is the frame `origin`, which must lie on a whole centisecond.

    `matrix` is that of the picture it is drawn on, `None` for red, green and blue.

    Events that began before it keep their negative start, so that their animations stand where they stood.
    """
    by_name = {style.name: style for style in styles}
    lines = [_dialogue(event, by_name[event.style], fps, origin) for event in events if event.last > origin]
    return _HEADER.format(
        width=canvas.width,
        height=canvas.height,
        matrix=matrix,
        styles="\n".join(style.line() for style in styles),
        events="\n".join(lines),
    )


def _dialogue(event: Event, style: Style, fps: int, origin: int) -> str:
    start, end = (_centiseconds(frame - origin, fps) for frame in (event.first, event.last))
    text = with_emoji(event.text, style.tags(), style.em, style.emoji)
    return f"Dialogue: {event.layer},{_clock(start)},{_clock(end)},{event.style},,0,0,0,,{text}"


def _centiseconds(frame: int, fps: int) -> int:
    """Half a frame before the frame: on its own time, rounding would decide whether it is shown one later."""
    return ((2 * frame - 1) * 100 + fps) // (2 * fps)


def _clock(centiseconds: int) -> str:
    hours, rest = divmod(centiseconds, 360_000)
    minutes, rest = divmod(rest, 6_000)
    seconds, hundredths = divmod(rest, 100)
    return f"{hours}:{minutes:02d}:{seconds:02d}.{hundredths:02d}"


def first_frame(milliseconds: int, fps: int) -> int:
    """The first frame that is shown at or after a moment."""
    return -(-milliseconds * fps // 1000)


def marked_up(text: str, style: Style) -> str:
    """Drawable text as ASS: escaped, with the face named wherever the script changes."""
    parts = [
        (
            "" if run.face is fonts.EMOJI else f"{{\\fn{run.face.family}\\fs{fonts.font_size(run.face, style.em)}}}",
            escape(run.text),
        )
        for run in fonts.runs(text, style.face, style.language)
    ]
    return "".join(tag + shown for tag, shown in parts)


def rounded(width: float, height: float, radius: float) -> str:
    """A rectangle with round corners in the drawing language of ASS."""
    w, h, r, k = (round(value, 1) for value in (width, height, radius, radius * 0.448))
    return (
        f"m {r} 0 l {w - r:.1f} 0 b {w - k:.1f} 0 {w} {k} {w} {r} l {w} {h - r:.1f} "
        f"b {w} {h - k:.1f} {w - k:.1f} {h} {w - r:.1f} {h} l {r} {h} "
        f"b {k} {h} 0 {h - k:.1f} 0 {h - r:.1f} l 0 {r} b 0 {k} {k} 0 {r} 0"
    )
