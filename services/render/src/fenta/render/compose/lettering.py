"""Words as a picture: set once by libass, which shapes every script, and laid on the canvas like any other picture."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from fenta.contracts.timeline import Canvas, TextSource, Weight
from fenta.render import programs
from fenta.render.captions import ass, fonts
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Event, Style, colour, marked_up, rounded
from fenta.render.captions.faces import Face
from fenta.render.captions.layout import wrap
from fenta.render.captions.text import is_right_to_left
from fenta.render.compose.colour import Bgr
from fenta.render.compose.frame import Plane, as_plane
from fenta.render.compose.pictures import OVERSIZE

FACES: Mapping[Weight, Face] = {"bold": fonts.TEXT, "extra_bold": fonts.CAPTION, "black": fonts.DISPLAY}
LEADING = 1.2
# In em: around the lines, and how round the corners of a field behind them are.
PADDING, GROUND_PADDING, ROUND = 0.2, 0.45, 0.28
_EDGES = {"left": (4, 0.0), "centre": (5, 0.5), "right": (6, 1.0)}


def letter(
    source: TextSource, canvas: Canvas, folder: Path, name: str, own: Face | None = None
) -> tuple[Bgr, Plane, tuple[int, int]]:
    """Colours, what they cover, and the size on the canvas. `folder` holds the fonts; a file is written into it."""
    em = source.size * min(canvas.width, canvas.height) * OVERSIZE
    face = own or FACES[source.weight]
    lines = wrap(source.text, face=face, max_width=source.width * canvas.width * OVERSIZE / em)
    padding = em * (GROUND_PADDING if source.ground else PADDING + source.outline)
    widest = max((fonts.width(line, face) for line in lines), default=0) * em
    # Twice a picture's size, which is even.
    wide, high = (_fourfold(length + 2 * padding) for length in (widest, len(lines) * em * LEADING))
    size = Canvas.model_construct(aspect=canvas.aspect, width=wide, height=high)
    style = Style(
        "Text", face, em, colour=source.colour, outline=round(source.outline * em, 2),
        outline_colour=source.outline_colour, language=source.language,
    )  # fmt: skip
    document = ass.document(size, 25, [style], _events(source, lines, style, size, padding), matrix="None")
    (folder / f"{name}.ass").write_text(document, encoding="utf-8")
    drawn = _drawn(folder, f"{name}.ass", wide, high)
    return drawn[0], drawn[1], (wide // OVERSIZE, high // OVERSIZE)


def _events(source: TextSource, lines: list[str], style: Style, size: Canvas, padding: float) -> list[Event]:
    anchor, share = _EDGES[source.align]
    x = padding + share * (size.width - 2 * padding)
    mark = RIGHT_TO_LEFT_MARK if is_right_to_left(source.text) else ""
    middle = (len(lines) - 1) / 2
    texts = [
        Event(
            0,
            25,
            style.name,
            f"{{\\an{anchor}\\pos({x:.1f},{size.height / 2 + (row - middle) * style.em * LEADING:.1f})}}"
            f"{mark}{marked_up(line, style)}",
            layer=1,
        )
        for row, line in enumerate(lines)
    ]
    if source.ground is None:
        return texts
    field = rounded(size.width, size.height, style.em * ROUND)
    tags = f"{{\\an7\\pos(0,0)\\bord0\\shad0\\1c{colour(source.ground)}&\\p1}}"
    return [Event(0, 25, style.name, f"{tags}{field}{{\\p0}}"), *texts]


def _fourfold(length: float) -> int:
    return max(4, -(-round(length) // 4) * 4)


def _drawn(folder: Path, document: str, width: int, height: int) -> tuple[Bgr, Plane]:
    """What libass draws, on nothing: its colours come mixed with black as far as they do not cover."""
    raw = ffmpeg.input("-", extra_options={"f": "rawvideo", "pix_fmt": "rgba", "s": f"{width}x{height}", "r": 25})
    stream = raw.ass(filename=document, fontsdir="fonts", alpha=True)
    output = ffmpeg.output(stream, filename="-", extra_options={"frames:v": 1, "f": "rawvideo", "pix_fmt": "rgba"})
    command = output.global_args(extra_options={"v": "error", "nostdin": True}).compile()[1:]
    environment = {"FONTCONFIG_FILE": str((folder / "fonts.conf").resolve())}
    child = programs.start(
        command, folder=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, environment=environment
    )
    seen, _ = child.communicate(bytes(width * height * 4))
    if child.returncode or len(seen) != width * height * 4:
        raise programs.failure(child.returncode, "The text could not be drawn.")
    picture = np.frombuffer(seen, np.uint8).reshape(height, width, 4)
    alpha = picture[:, :, 3]
    clean: Any = picture[:, :, 2::-1] * (255 / np.maximum(alpha, 1)[:, :, None])
    return as_plane(np.clip(clean, 0, 255).round().astype(np.uint8)), as_plane(alpha.copy())
