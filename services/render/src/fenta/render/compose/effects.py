"""Effects on the planes of a picture or a frame: colours, blur, grain, vignette; each prepared once, then applied."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Adjust, Blur, ChromaKey, Effect, Grain, Lut, Vignette
from fenta.render.compose import keying, lut
from fenta.render.compose.frame import BLACK, NEUTRAL, WHITE, Plane, Sheet, as_plane

# Takes a sheet and the number of its frame within the clip; changes the sheet in place.
Apply = Callable[[Sheet, int], None]

# These belong to the screen and not to the picture: a camera does not move them.
OF_THE_SCREEN = ("grain", "vignette")
# Wider blurs are made of a smaller copy: it looks the same and costs a fraction.
WIDEST_SIGMA = 4.0


def prepare(effect: Effect, sources: Mapping[str, Path]) -> Apply:
    """`sources` has the local file of every colour table. Raises RenderRefused `source_invalid`."""
    if isinstance(effect, Lut):
        look = lut.Look(lut.read(sources[effect.source.sha256]), effect.strength)
        return lambda sheet, number: look.apply(sheet)
    return partial(_KINDS[effect.kind], effect)


def adjust(effect: Adjust, sheet: Sheet, number: int) -> None:
    luma, chroma = _curves(effect)
    for plane, table in ((sheet.y, luma), (sheet.u, chroma), (sheet.v, chroma)):
        cv2.LUT(plane, table, dst=plane)


def _curves(effect: Adjust) -> tuple[Plane, Plane]:
    """Of luma and chroma. Full contrast is three times as steep, full brightness lifts by half of the range."""
    slope = 1 + 2 * effect.contrast if effect.contrast > 0 else 1 + effect.contrast
    light = np.clip((np.arange(256) - BLACK) / (WHITE - BLACK), 0, 1)
    light = (light - 0.5) * slope + 0.5 + effect.brightness / 2
    colour = (np.arange(256) - NEUTRAL) * effect.saturation * np.sqrt(slope) + NEUTRAL
    return _levels(light * (WHITE - BLACK) + BLACK, BLACK, WHITE), _levels(colour, 16, 240)


def _levels(values: NDArray[np.float64], low: int, high: int) -> Plane:
    return np.clip(np.round(values), low, high).astype(np.uint8)


def blur(effect: Blur, sheet: Sheet, number: int) -> None:
    soften(sheet, effect.radius * sheet.y.shape[1])


def soften(sheet: Sheet, sigma: float) -> None:
    """Blur by `sigma` pixels of luma."""
    for plane, wide in ((sheet.y, sigma), (sheet.u, sigma / 2), (sheet.v, sigma / 2)):
        plane[:] = softened(plane, wide)
    if sheet.alpha is not None:
        sheet.alpha = softened(sheet.alpha, sigma)


def softened(plane: Plane, sigma: float) -> Plane:
    """A blurred copy."""
    if sigma < 0.3:
        return plane.copy()
    if sigma <= WIDEST_SIGMA or min(plane.shape) < 8:
        return as_plane(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
    size = (plane.shape[1], plane.shape[0])
    half = (max(2, size[0] // 2), max(2, size[1] // 2))
    small = softened(as_plane(cv2.resize(plane, half, interpolation=cv2.INTER_AREA)), sigma / 2)
    return as_plane(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


def grain(effect: Grain, sheet: Sheet, number: int) -> None:
    """A tile of noise, laid elsewhere in every frame; strongest in the middle tones, as on film."""
    height, width = sheet.y.shape
    lighter, darker = _noise(effect.seed, round(effect.amount * 100))
    # Fixed steps without a common measure: any frame follows from its number alone, and neighbours never overlap.
    down, right = (number * 157 + effect.seed % 89) % TILE, (number * 211 + effect.seed % 97) % TILE
    for top in range(-down, height, TILE):
        for left in range(-right, width, TILE):
            _sprinkle(sheet.y, lighter, darker, top, left)


TILE = 512


def _sprinkle(plane: Plane, lighter: Plane, darker: Plane, top: int, left: int) -> None:
    rows = slice(max(0, top), min(plane.shape[0], top + TILE))
    columns = slice(max(0, left), min(plane.shape[1], left + TILE))
    place, part = (
        plane[rows, columns],
        np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left],
    )
    cv2.add(place, lighter[part], dst=place)
    cv2.subtract(place, darker[part], dst=place)


@lru_cache(maxsize=4)
def _noise(seed: int, percent: int) -> tuple[Plane, Plane]:
    """A tile without seams, in two halves: what is added and what is taken away."""
    noise = np.random.default_rng(seed).standard_normal((TILE, TILE)).astype(np.float32)
    wrapped = np.pad(noise, 4, mode="wrap")
    soft: Any = cv2.GaussianBlur(wrapped, (0, 0), 0.8)
    tile = np.round(soft[4:-4, 4:-4] / soft.std() * percent * 0.12)
    return np.clip(tile, 0, 255).astype(np.uint8), np.clip(-tile, 0, 255).astype(np.uint8)


def vignette(effect: Vignette, sheet: Sheet, number: int) -> None:
    percent = round(effect.amount * 100)
    for plane, rest in ((sheet.y, BLACK), (sheet.u, NEUTRAL), (sheet.v, NEUTRAL)):
        dim(plane, *_corners(percent, plane.shape[1], plane.shape[0], rest))


@lru_cache(maxsize=8)
def _corners(percent: int, width: int, height: int, rest: int) -> tuple[Plane, Plane]:
    x, y = (np.linspace(-1, 1, count) for count in (width, height))
    radius = np.sqrt((x[None, :] ** 2 + y[:, None] ** 2) / 2)
    fall = np.clip((radius - 0.35) / 0.65, 0, 1) ** 2 * (3 - 2 * np.clip((radius - 0.35) / 0.65, 0, 1))
    return shade(1 - 0.9 * percent / 100 * fall, rest)


def shade(gain: NDArray[np.float64], rest: int) -> tuple[Plane, Plane]:
    """Factor, of 255, and offset that bring a plane towards `rest`, all but `gain` of it."""
    factor = np.round(gain * 255)
    return factor.astype(np.uint8), np.round(rest * (255 - factor) / 255).astype(np.uint8)


def dim(plane: Plane, factor: Plane, offset: Plane) -> None:
    """Bring a plane, or a part of one, as near to its rest as `shade` says."""
    cv2.multiply(plane, factor, dst=plane, scale=1 / 255)
    cv2.add(plane, offset, dst=plane)


def _key(effect: ChromaKey, sheet: Sheet, number: int) -> None:
    keying.key(effect, sheet)


_KINDS: Mapping[str, Any] = {
    "chroma_key": _key,
    "adjust": adjust,
    "blur": blur,
    "grain": grain,
    "vignette": vignette,
}
