"""Blend modes: how a picture mixes with what lies below it, light by light.

The modes are about red, green and blue. Those are weighted sums of the planes, so they are made as planes too, mixed by
whole numbers, and made Y, U and V again: no pixel is ever packed, which is what makes other ways to RGB dear.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.frame import Frame, Plane, Sheet, as_plane, paired

Light = NDArray[np.float64]
Mode = Callable[[Plane, Plane], Plane]
# Of lights from 0 to 1, below and above.
Formula = Callable[[Light, Light], Light]

_TINY = 1e-6


def _multiply(below: Plane, above: Plane) -> Plane:
    return as_plane(cv2.multiply(below, above, scale=1 / 255))


def _screen(below: Plane, above: Plane) -> Plane:
    return as_plane(cv2.bitwise_not(_multiply(as_plane(cv2.bitwise_not(below)), as_plane(cv2.bitwise_not(above)))))


def _hard_light(below: Plane, above: Plane) -> Plane:
    """Twice a product where the upper light is dark, twice a screen where it is bright."""
    dark = cv2.multiply(below, above, scale=2 / 255)
    bright = cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(below), cv2.bitwise_not(above), scale=2 / 255))
    return np.where(above < 128, dark, bright)


def _overlay(below: Plane, above: Plane) -> Plane:
    return _hard_light(above, below)


def _exclusion(below: Plane, above: Plane) -> Plane:
    first = _multiply(below, as_plane(cv2.bitwise_not(above)))
    return as_plane(cv2.add(first, _multiply(above, as_plane(cv2.bitwise_not(below)))))


def _soft_light(below: Light, above: Light) -> Light:
    """As the W3C has it: never wholly black or white."""
    target = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
    burned = below - (1 - 2 * above) * below * (1 - below)
    return np.where(above <= 0.5, burned, below + (2 * above - 1) * (target - below))


def _colour_dodge(below: Light, above: Light) -> Light:
    return np.where(below <= _TINY, 0.0, np.minimum(1, below / np.maximum(_TINY, 1 - above)))


def _colour_burn(below: Light, above: Light) -> Light:
    return np.where(below >= 1 - _TINY, 1.0, 1 - np.minimum(1, (1 - below) / np.maximum(_TINY, above)))


def _by_table(formula: Formula) -> Mode:
    return lambda below, above: _table(formula)[paired(below, above)]


@lru_cache(maxsize=8)
def _table(formula: Formula) -> Plane:
    """By `below + 256 * above`."""
    above, below = np.meshgrid(np.arange(256) / 255, np.arange(256) / 255, indexing="ij")
    table: Plane = np.round(formula(below, above) * 255).astype(np.uint8).ravel()
    return table


# Of one light: red, green or blue.
LIGHTS: Mapping[str, Mode] = {
    "multiply": _multiply,
    "screen": _screen,
    "add": lambda below, above: as_plane(cv2.add(below, above)),
    "subtract": lambda below, above: as_plane(cv2.subtract(below, above)),
    "darken": lambda below, above: as_plane(cv2.min(below, above)),
    "lighten": lambda below, above: as_plane(cv2.max(below, above)),
    "difference": lambda below, above: as_plane(cv2.absdiff(below, above)),
    "exclusion": _exclusion,
    "overlay": _overlay,
    "soft_light": _by_table(_soft_light),
    "hard_light": _hard_light,
    "colour_dodge": _by_table(_colour_dodge),
    "colour_burn": _by_table(_colour_burn),
}
# These know nothing of lights: they take the luma of one picture and the chroma of the other.
PLANES = ("normal", "colour", "luminosity")


def blend(name: str, below: Sheet, above: Sheet) -> None:
    """Replace `above` by its mix with `below`; both are of the same size, an even one."""
    if name == "colour":
        above.y[:] = below.y
    elif name == "luminosity":
        above.u[:], above.v[:] = below.u, below.v
    elif name != "normal":
        mode = LIGHTS[name]
        _write(above, *(mode(*lights) for lights in zip(_lights(below), _lights(above), strict=True)))


# --- lights as planes -------------------------------------------------------------------------------------------------

_LUMA, _CHROMA = 255 / 219, 255 / 224
_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722
_OF_V, _OF_U = 2 * (1 - _RED), 2 * (1 - _BLUE)


def _lights(sheet: Sheet) -> tuple[Plane, Plane, Plane]:
    """Red, green and blue, of the size of the luma."""
    from_u, from_v = _CHROMA * _OF_U * _BLUE / _GREEN, _CHROMA * _OF_V * _RED / _GREEN
    both = cv2.addWeighted(sheet.u, -from_u, sheet.v, -from_v, 128 * (1 + from_u + from_v))
    return (
        _sum(sheet.y, _wide(sheet.v, sheet.y), _CHROMA * _OF_V),
        _sum(sheet.y, _wide(as_plane(both), sheet.y), 1.0),
        _sum(sheet.y, _wide(sheet.u, sheet.y), _CHROMA * _OF_U),
    )


def _sum(luma: Plane, chroma: Plane, weight: float) -> Plane:
    return as_plane(cv2.addWeighted(luma, _LUMA, chroma, weight, -16 * _LUMA - 128 * weight))


def _wide(chroma: Plane, luma: Plane) -> Plane:
    return as_plane(cv2.resize(chroma, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_LINEAR))


def _write(sheet: Sheet, red: Plane, green: Plane, blue: Plane) -> None:
    warm = cv2.addWeighted(red, _RED / _LUMA, green, _GREEN / _LUMA, 16)
    cv2.addWeighted(warm, 1, blue, _BLUE / _LUMA, 0, dst=sheet.y)
    light = halved(sheet.y)
    for target, colour, reach in ((sheet.u, blue, _OF_U), (sheet.v, red, _OF_V)):
        weight = 1 / (_CHROMA * reach)
        cv2.addWeighted(halved(colour), weight, light, -_LUMA * weight, 128 + 16 * _LUMA * weight, dst=target)


def halved(plane: Plane) -> Plane:
    """As large as the chroma."""
    half = (plane.shape[1] // 2, plane.shape[0] // 2)
    return as_plane(cv2.resize(plane, half, interpolation=cv2.INTER_AREA))


# --- one over the other -----------------------------------------------------------------------------------------------


def cover(below: Plane, above: Plane, mask: Plane) -> None:
    """Lay `above` over `below`, in place, as far as `mask` of the same size says: 255 is wholly."""
    shown = cv2.multiply(above, mask, scale=1 / 255)
    cv2.multiply(below, cv2.bitwise_not(mask), dst=below, scale=1 / 255)
    cv2.add(below, shown, dst=below)


def mixed(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """Write so much of `above` and the rest of `below`."""
    cv2.addWeighted(below.data, 1 - share, above.data, share, 0, dst=out.data)
