"""Cells side by side, each with its word below it, as one JPEG."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import ffmpeg
import numpy as np

from fenta.render import programs
from fenta.render.captions.faces import FOLDER
from tools.gallery.scenes import Cells, Picture

HIGH, GAP, LINE, MARGIN = 160, 4, 22, 12
PAPER, INK = 26, "0xE8E6E0"
WIDTH = 1180


def write(cells: Cells, path: Path, high: int = HIGH) -> None:
    """Lay the cells out over about the same width, whatever their number; each is so many pixels high."""
    strips = {name: _strip(pictures, high) for name, pictures in cells.items()}
    wide = max(strip.shape[1] for strip in strips.values())
    rows = -(-len(strips) // max(1, (WIDTH - MARGIN) // (wide + MARGIN)))
    columns = -(-len(strips) // rows)
    step = high + LINE + MARGIN
    paper = np.full((MARGIN + rows * step, MARGIN + columns * (wide + MARGIN), 3), PAPER, np.uint8)
    labels: list[tuple[str, int, int]] = []
    for number, (name, strip) in enumerate(strips.items()):
        left, top = MARGIN + number % columns * (wide + MARGIN), MARGIN + number // columns * step
        paper[top : top + high, left : left + strip.shape[1]] = strip
        labels.append((name, left, top + high + 5))
    _print(paper[: paper.shape[0] // 2 * 2, : paper.shape[1] // 2 * 2], labels, path)


def _strip(pictures: Sequence[Picture], high: int) -> Picture:
    small = [_small(picture, high) for picture in pictures]
    gap = np.full((high, GAP, 3), PAPER, np.uint8)
    parts = [part for picture in small for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=1).astype(np.uint8)


def _small(picture: Picture, high: int) -> Picture:
    """As high as all cells, and as wide as it is then."""
    size = (round(picture.shape[1] * high / picture.shape[0]), high)
    small: Picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).astype(np.uint8)
    return small


def _print(paper: Picture, labels: Sequence[tuple[str, int, int]], path: Path) -> None:
    """Words are set by ffmpeg in the font of titles."""
    size = f"{paper.shape[1]}x{paper.shape[0]}"
    stream = ffmpeg.input("-", extra_options={"f": "rawvideo", "pix_fmt": "bgr24", "s": size}).video
    for text, left, top in labels:
        stream = stream.drawtext(
            fontfile=str(FOLDER / "NotoSans-Bold.ttf"),
            text=text,
            x=left,
            y=top,
            fontsize=12,
            y_align="font",
            fontcolor=INK,
        )
    picture = stream.format(pix_fmts="yuvj420p")
    output = ffmpeg.output(
        picture, filename=path.name, extra_options={"frames:v": 1, "q:v": 6, "update": 1, "fflags": "+bitexact"}
    )
    command = output.global_args(extra_options={"v": "error", "nostdin": True}).compile(overwrite_output=True)
    child = programs.start(command[1:], folder=path.parent, stdin=subprocess.PIPE)
    child.communicate(np.ascontiguousarray(paper).tobytes())
    if child.returncode:
        raise RuntimeError(f"{path.name} could not be written")
