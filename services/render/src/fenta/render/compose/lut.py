"""Looks from `.cube` files: read once, turned into tables over YUV, so that no frame leaves its planes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.colour import exact_bgr, exact_yuv
from fenta.render.compose.frame import Sheet
from fenta.render.errors import RenderRefused

LARGEST = 65
LARGEST_BYTES = 16 << 20

Colours = NDArray[np.float64]


@dataclass(frozen=True)
class Cube:
    """A table of colours: `[blue, green, red]` holds the R, G and B, 0 to 1, of evenly spaced inputs."""

    table: Colours
    low: Colours
    high: Colours

    def look(self, rgb: Colours) -> Colours:
        """The colours that these become, mixed from the eight nearest ones of the table."""
        size = len(self.table)
        place = np.clip((rgb - self.low) / (self.high - self.low), 0, 1) * (size - 1)
        first = np.minimum(place.astype(int), size - 2)
        parts = _corners(place - first)
        return sum(
            (
                share[..., None] * self.table[tuple((first + step)[..., axis] for axis in (2, 1, 0))]
                for step, share in parts
            ),
            np.zeros_like(rgb),
        )


def _corners(inside: Colours) -> Iterator[tuple[NDArray[np.int64], Colours]]:
    """The eight corners of a cell and the share that each has at a place in it."""
    for corner in np.ndindex(2, 2, 2):
        step = np.array(corner)
        yield step, np.where(step, inside, 1 - inside).prod(axis=-1)


def read(path: Path) -> Cube:
    """Raises RenderRefused `source_invalid` when the file is not a three-dimensional `.cube`."""
    try:
        return _parsed(_lines(path))
    except (ValueError, LookupError, OSError) as error:
        raise RenderRefused(
            "source_invalid", "A colour table cannot be read.", "Give a .cube file with a LUT_3D_SIZE of 2 to 65."
        ) from error


def _lines(path: Path) -> list[list[str]]:
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("too large")
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _parsed(lines: list[list[str]]) -> Cube:
    words = {line[0]: line[1:] for line in lines if line[0][0].isalpha()}
    size = int(words["LUT_3D_SIZE"][0])
    rows = np.array([[float(number) for number in line] for line in lines if not line[0][0].isalpha()])
    low, high = (np.array(words.get(name, given), float) for name, given in _DOMAIN.items())
    if not 2 <= size <= LARGEST or rows.shape != (size**3, 3) or not np.isfinite(rows).all() or (high <= low).any():
        raise ValueError("not what its header says")
    return Cube(np.clip(rows, 0, 1).reshape(size, size, size, 3), low, high)


_DOMAIN = {"DOMAIN_MIN": ["0"] * 3, "DOMAIN_MAX": ["1"] * 3}


class Look:
    """A cube over YUV planes, `strength` of the way.

    What it does to greys is a curve over luma. What it does beyond that to colours is looked up for each pixel of the
    chroma, and widened for the luma. The tables hold differences, so that what lies between their places is hardly off.
    """

    def __init__(self, cube: Cube, strength: float) -> None:
        luma, u, v = (strength * change for change in _changes(cube))
        greys = np.interp(LEVELS, COARSE[0], luma[:, GREY[0], GREY[1]])
        beyond = luma - luma[:, GREY[0], GREY[1]][:, None, None]
        self._curve = np.clip(np.round(LEVELS + greys), 0, 255).astype(np.uint8)
        self._tables = tuple(_widened(change) for change in (beyond, u, v))

    def apply(self, sheet: Sheet) -> None:
        size, half = (sheet.y.shape[1], sheet.y.shape[0]), (sheet.u.shape[1], sheet.u.shape[0])
        small = np.asarray(cv2.resize(sheet.y, half, interpolation=cv2.INTER_AREA), np.uint32)
        place = ((small >> 2) << 14) | ((sheet.u >> 1).astype(np.uint32) << 7) | (sheet.v >> 1)
        beyond, u, v = (table[place] for table in self._tables)
        wide = cv2.resize(beyond, size, interpolation=cv2.INTER_LINEAR)
        cv2.LUT(sheet.y, self._curve, dst=sheet.y)
        for plane, change in ((sheet.y, wide), (sheet.u, u), (sheet.v, v)):
            cv2.add(plane, change, dst=plane, dtype=cv2.CV_8U)


LEVELS = np.arange(256)
# A look is computed at these places of Y, U and V, and drawn out from there to as many as a look-up tells apart.
COARSE = tuple(np.linspace(0, 256, count) for count in (65, 33, 33))
FINE = (64, 128, 128)
GREY = (16, 16)


def _changes(cube: Cube) -> Colours:
    """What it changes in Y, U and V (first axis), by Y, U and V."""
    yuv = np.stack(np.meshgrid(*COARSE, indexing="ij"), axis=-1)
    # Of a colour that no screen shows, what its nearest neighbour changes.
    shown = exact_bgr(yuv)
    change: Colours = exact_yuv(cube.look(shown[..., ::-1])[..., ::-1]) - exact_yuv(shown)
    return np.moveaxis(change, -1, 0)


def _widened(change: Colours) -> NDArray[np.int16]:
    """Linear between the coarse places, at the middles of the fine steps; by `y << 14 | u << 7 | v`."""
    for axis, (places, count) in enumerate(zip(COARSE, FINE, strict=True)):
        middles = (np.arange(count) + 0.5) * (256 / count) - 0.5
        weights = np.array([np.interp(middles, places, unit) for unit in np.eye(len(places))])
        change = np.moveaxis(np.tensordot(change, weights, axes=(axis, 0)), -1, axis)
    return np.round(change).astype(np.int16).ravel()
