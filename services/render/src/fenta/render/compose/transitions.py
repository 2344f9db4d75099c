"""How one picture becomes the next, written over whole frames: no filter graph, no other colour space."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.blending import cover, halved, mixed
from fenta.render.compose.effects import softened
from fenta.render.compose.frame import BLACK, NEUTRAL, WHITE, Frame, Plane, as_plane

Mix = Callable[[Frame, Frame, float, Frame], None]
Field = NDArray[np.float64]

# How much closer a zoom gets. From further away than its edge a picture is seen in a mirror.
NEAR, FAR = 0.6, 0.3
# Widths of the soft border of a wipe and of its blinds, and how far a covered picture is darkened.
SOFT, BLINDS, COVERED = 0.08, 9, 0.35
WHIP_BLUR, DEEPEST_BLUR = 0.35, 0.03

# Older words for what has a longer name now.
SYNONYMS: Mapping[str, str] = {
    "crossfade": "dissolve",
    "slide": "push_left",
    "wipe": "wipe_right",
    "zoom": "zoom_in",
}


def closeness(kind: str, share: float) -> tuple[float, float]:
    """How much closer the leaving and the coming picture are seen; only zooms move towards them or away."""
    name = SYNONYMS.get(kind, kind)
    leaving, coming = share * share, (1 - share) * (1 - share)
    if name == "zoom_in":
        return 1 + NEAR * leaving, 1 - FAR * coming
    return (1 - FAR * leaving, 1 + NEAR * coming) if name == "zoom_out" else (1.0, 1.0)


def mix(kind: str, below: Frame, above: Frame, share: float, out: Frame) -> None:
    """Write the picture between `below` and `above`, 0 < `share` < 1 of the way."""
    TRANSITIONS[SYNONYMS.get(kind, kind)](below, above, share, out)


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)


def _cut(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """At once; it borrows no time."""
    out.copy_from(above)


def _dissolve(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """One picture becomes the other everywhere at the same time."""
    mixed(below, above, _smooth(share), out)


def _through(luma: int, below: Frame, above: Frame, share: float, out: Frame) -> None:
    """The first half leads to a field of one light, the second away from it."""
    picture, left = (below, 1 - 2 * share) if share < 0.5 else (above, 2 * share - 1)
    left = math.sin(left * math.pi / 2)
    for plane, target, rest in zip(picture.planes(), out.planes(), (luma, NEUTRAL, NEUTRAL), strict=True):
        cv2.convertScaleAbs(plane, dst=target, alpha=left, beta=rest * (1 - left))


# --- what turns place by place ----------------------------------------------------------------------------------------


def _turning(field: str, below: Frame, above: Frame, share: float, out: Frame) -> None:
    """Each place turns from one picture to the other at the time that a field of 0 to 1 says, over a soft border."""
    moment = _smooth(share) * (1 + SOFT) - np.arange(256) / 255
    table = np.round(255 * np.clip(moment / SOFT, 0, 1)).astype(np.uint8)
    _reveal(below, above, as_plane(cv2.LUT(_field(field, out.width, out.height), table)), out)


def _reveal(below: Frame, above: Frame, mask: Plane, out: Frame) -> None:
    out.copy_from(below)
    half = halved(mask)
    for target, new, part in zip(out.planes(), above.planes(), (mask, half, half), strict=True):
        cover(target, new, part)


@lru_cache(maxsize=3)
def _field(name: str, width: int, height: int) -> Plane:
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.round(255 * np.clip(_FIELDS[name](x, y), 0, 1)).astype(np.uint8)


def _radius(x: Field, y: Field) -> Field:
    """From the middle, as it is seen; 1 in the corners."""
    tall, wide = x.shape[0], x.shape[1]
    far: Field = np.hypot((x - 0.5) * wide, (y - 0.5) * tall) / math.hypot(wide / 2, tall / 2)
    return far


def _angle(x: Field, y: Field) -> Field:
    """Clockwise from the top."""
    turned: Field = np.arctan2((x - 0.5) * x.shape[1], (0.5 - y) * x.shape[0]) / (2 * math.pi) % 1
    return turned


_FIELDS: Mapping[str, Callable[[Field, Field], Field]] = {
    "wipe_left": lambda x, y: 1 - x,
    "wipe_right": lambda x, y: x,
    "wipe_up": lambda x, y: 1 - y,
    "wipe_down": lambda x, y: y,
    "diagonal": lambda x, y: (x + y) / 2,
    "clock": _angle,
    "blinds": lambda x, y: y * BLINDS % 1,
    "circle_open": _radius,
    "circle_close": lambda x, y: 1 - _radius(x, y),
}


def _melt(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """The leaving picture's lights go last: what is dark turns first."""
    moment = _smooth(share) * 1.5 - (np.arange(256) - BLACK) / (WHITE - BLACK)
    table = np.round(255 * np.clip(moment / 0.5, 0, 1)).astype(np.uint8)
    _reveal(below, above, as_plane(cv2.LUT(softened(below.y, 2.0), table)), out)


# --- what moves -------------------------------------------------------------------------------------------------------


def _slide(way: tuple[int, int], below: Frame, above: Frame, share: float, out: Frame) -> None:
    """The coming picture moves in over the leaving one, which sinks into the dark."""
    dark = COVERED * _smooth(share)
    for plane, target, rest in zip(below.planes(), out.planes(), (BLACK, NEUTRAL, NEUTRAL), strict=True):
        cv2.convertScaleAbs(plane, dst=target, alpha=1 - dark, beta=rest * dark)
    _shifted(above, way, _smooth(share) - 1, out)


def _push(way: tuple[int, int], below: Frame, above: Frame, share: float, out: Frame) -> None:
    """The coming picture moves in and pushes the leaving one out."""
    _shifted(below, way, _smooth(share), out)
    _shifted(above, way, _smooth(share) - 1, out)


def _shifted(picture: Frame, way: tuple[int, int], share: float, out: Frame) -> None:
    """Write what is left in view of a picture that is moved by a share of the canvas."""
    # Counted in chroma pixels, so that the planes stay together.
    columns, rows = round(out.width / 2 * share * way[0]), round(out.height / 2 * share * way[1])
    for plane, target, size in zip(picture.planes(), out.planes(), (2, 1, 1), strict=True):
        x, y = columns * size, rows * size
        height, width = plane.shape
        seen = plane[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
        target[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)] = seen


def _whip(right: int, below: Frame, above: Frame, share: float, out: Frame) -> None:
    """A push so quick that only streaks are seen of it."""
    way = 8 * share**4 if share < 0.5 else 1 - 8 * (1 - share) ** 4
    speed = 32 * min(share, 1 - share) ** 3 / 4
    _shifted(below, (right, 0), way, out)
    _shifted(above, (right, 0), way - 1, out)
    for plane in out.planes():
        streak = round(WHIP_BLUR * speed * plane.shape[1])
        cv2.blur(plane, (2 * (streak // 2) + 1, 1), dst=plane, borderType=cv2.BORDER_REFLECT_101)


def _midway(share: float) -> float:
    """Nothing but the middle half of the way changes the picture; before and after it moves, or is unsharp, alone."""
    return _smooth(min(1.0, max(0.0, 2 * share - 0.5)))


def _zoom(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """Both pictures come closer, or go away, while one becomes the other."""
    mixed(below, above, _midway(share), out)


def _blur(below: Frame, above: Frame, share: float, out: Frame) -> None:
    """The leaving picture loses its sharpness, the coming one finds it."""
    mixed(below, above, _midway(share), out)
    sigma = DEEPEST_BLUR * out.width * math.sin(math.pi * share)
    for plane, wide in zip(out.planes(), (sigma, sigma / 2, sigma / 2), strict=True):
        plane[:] = softened(plane, wide)


_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}

TRANSITIONS: Mapping[str, Mix] = {
    "cut": _cut,
    "fade": partial(_through, BLACK),
    "fade_white": partial(_through, WHITE),
    "dissolve": _dissolve,
    "melt": _melt,
    **{name: partial(_turning, name) for name in _FIELDS},
    **{f"slide_{name}": partial(_slide, way) for name, way in _WAYS.items()},
    **{f"push_{name}": partial(_push, way) for name, way in _WAYS.items()},
    "zoom_in": _zoom,
    "zoom_out": _zoom,
    "blur": _blur,
    "whip_left": partial(_whip, -1),
    "whip_right": partial(_whip, 1),
}
