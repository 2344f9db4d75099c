"""Chroma key: a colour becomes transparent, and its shine on what remains is taken away; by tables over U and V."""

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import ChromaKey
from fenta.render.compose.colour import yuv_of
from fenta.render.compose.frame import NEUTRAL, Plane, Sheet, as_plane, paired

# Colours up to so far from the key's hue take its shine on; further ones are their own.
SHINE_DEGREES, OWN_DEGREES = 35.0, 70.0

Chroma = NDArray[np.float64]


def key(effect: ChromaKey, sheet: Sheet) -> None:
    """Give the sheet an alpha that is 0 where it has the key's colour, and suppress the spill of that colour."""
    cover, u, v = _tables(effect.colour, effect.tolerance, effect.softness, effect.spill)
    pairs = paired(sheet.u, sheet.v)
    # A small blur: chroma has half the size, and its edges would show as steps.
    small = cv2.blur(cover[pairs], (3, 3))
    found: Any = cv2.resize(small, sheet.y.shape[::-1], interpolation=cv2.INTER_LINEAR)
    sheet.alpha = found if sheet.alpha is None else as_plane(cv2.multiply(found, sheet.alpha, scale=1 / 255))
    sheet.u[:], sheet.v[:] = u[pairs], v[pairs]


@lru_cache(maxsize=8)
def _tables(colour: str, tolerance: float, softness: float, spill: float) -> tuple[Plane, Plane, Plane]:
    """By `u + 256 * v`: how much is seen, and the chroma without spill."""
    v, u = np.meshgrid(np.arange(256) - float(NEUTRAL), np.arange(256) - float(NEUTRAL), indexing="ij")
    _, key_u, key_v = (value - NEUTRAL for value in yuv_of(colour))
    strength = max(1.0, math.hypot(key_u, key_v))
    distance = np.hypot(u - key_u, v - key_v) / strength
    cover = np.clip((distance - tolerance) / max(0.01, softness), 0, 1)
    shine = spill * _shine(u, v, key_u, key_v) * np.maximum(0, u * key_u + v * key_v) / strength**2
    return _table(255 * cover), _table(u - shine * key_u + NEUTRAL), _table(v - shine * key_v + NEUTRAL)


def _shine(u: Chroma, v: Chroma, key_u: float, key_v: float) -> Chroma:
    """1 for the key's own hue, 0 for the hues that do not take it on."""
    degrees = np.degrees(np.abs(np.angle((u + 1j * v) * (key_u - 1j * key_v))))
    share: Chroma = np.clip((OWN_DEGREES - degrees) / (OWN_DEGREES - SHINE_DEGREES), 0, 1)
    return share


def _table(values: Chroma) -> Plane:
    return np.clip(np.round(values), 0, 255).astype(np.uint8).ravel()
