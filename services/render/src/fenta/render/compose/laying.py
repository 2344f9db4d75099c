"""How a picture is laid on the canvas: turned, scaled, with round corners and its shadow, mixed with what is below."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.blending import blend, cover, halved
from fenta.render.compose.frame import BLACK, NEUTRAL, Frame, Plane, as_plane
from fenta.render.compose.placement import Placement

# In shares of the canvas' width: how soft a shadow is and how far below its clip. Shadows are drawn at an eighth.
SHADOW_SOFTNESS, SHADOW_DROP, SHADOW_DEPTH = 0.028, 0.014, 0.75
COARSE = 1 / 8
# Of the length of a picture that is uncovered.
WIPE_SOFTNESS = 0.06


@dataclass
class Part:
    """A piece of a picture, with the planes of a frame."""

    y: Plane
    u: Plane
    v: Plane
    alpha: Plane | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle of the canvas with even edges."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom

    def of(self, frame: Frame) -> Part:
        """The frame's own pixels there."""
        luma = np.s_[self.top : self.bottom, self.left : self.right]
        chroma = np.s_[self.top // 2 : self.bottom // 2, self.left // 2 : self.right // 2]
        return Part(frame.y[luma], frame.u[chroma], frame.v[chroma])


def lay(content: Frame, place: Placement, mode: str, out: Frame) -> None:
    """Lay a picture onto a frame. Its size on the canvas at scale 1 is its own."""
    if place.opacity == 0 or min(content.width, content.height) * place.scale < 1:
        return
    mask = _mask(content, place)
    if place.shown < 1:
        mask = _uncovered(mask, place)
    if place.shadow:
        _cast(content, mask, place, out)
    box = _box(content, place, out)
    if box.empty:
        return
    above, shown = _moved(content, mask, place, box, out)
    if place.opacity < 1:
        shown = as_plane(cv2.convertScaleAbs(shown, alpha=place.opacity))
    below = box.of(out)
    blend(mode, below, above)
    half = halved(shown)
    for old, new, part in ((below.y, above.y, shown), (below.u, above.u, half), (below.v, above.v, half)):
        cover(old, new, part)


# --- what of a picture is seen ----------------------------------------------------------------------------------------


def _mask(content: Frame, place: Placement) -> Plane:
    """No larger than it will be seen: its border is then a pixel wide, and glides when the picture does."""
    size = [max(2, round(side * min(1.0, place.scale))) for side in (content.width, content.height)]
    rounded = _rounded(size[0], size[1], round(place.corner_radius * min(size) * 2) / 4)
    if content.alpha is None:
        return rounded
    alpha = cv2.resize(content.alpha, size, interpolation=cv2.INTER_AREA)
    return as_plane(cv2.multiply(rounded, alpha, scale=1 / 255) if place.corner_radius else alpha)


def _uncovered(mask: Plane, place: Placement) -> Plane:
    """What a wipe has reached, with a soft border."""
    across = place.way in {"left", "right"}
    length = mask.shape[1] if across else mask.shape[0]
    soft = max(2.0, WIPE_SOFTNESS * length)
    ramp = np.clip((place.shown * (length + soft) - np.arange(length) - 0.5) / soft, 0, 1)
    line = np.round(255 * (ramp[::-1] if place.way in {"left", "up"} else ramp)).astype(np.uint8)
    veil = np.broadcast_to(line[None, :] if across else line[:, None], mask.shape)
    return as_plane(cv2.multiply(mask, np.ascontiguousarray(veil), scale=1 / 255))


@lru_cache(maxsize=4)
def _rounded(width: int, height: int, radius: float) -> Plane:
    """A rectangle with round corners; `radius` is in pixels."""
    mask = np.full((height, width), 255, np.uint8)
    reach = math.ceil(radius)
    if reach:
        inward = radius - np.arange(reach) - 0.5
        inside = np.clip(radius + 0.5 - np.hypot(inward[:, None].clip(0), inward[None, :].clip(0)), 0, 1)
        corner = np.round(255 * inside).astype(np.uint8)
        for rows, columns in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            mask[::rows, ::columns][:reach, :reach] = corner
    return mask


# --- moving it to its place -------------------------------------------------------------------------------------------


def _inverse(place: Placement, content: Frame, source: Plane, out: Frame, part: float) -> NDArray[np.float64]:
    """From a pixel of a plane of the canvas, `part` as large as its luma, to one of a plane of the picture: 2 x 3."""
    angle = math.radians(place.rotation_degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    stretch = np.diag([source.shape[1] / content.width, source.shape[0] / content.height])
    linear = stretch @ turn / (place.scale * part)
    middle = np.array([place.x * out.width, place.y * out.height]) * part
    # Half a pixel either way: positions mean pixel centres, not corners.
    shift = np.array([source.shape[1], source.shape[0]]) / 2 - 0.5 - linear @ (middle - 0.5)
    return np.column_stack([linear, shift])


def _box(content: Frame, place: Placement, out: Frame) -> Box:
    """Where on the canvas something of the picture is seen."""
    angle = math.radians(place.rotation_degrees)
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    across = (content.width * cosine + content.height * sine) * place.scale / 2 + 1
    down = (content.width * sine + content.height * cosine) * place.scale / 2 + 1
    x, y = place.x * out.width, place.y * out.height
    return Box(
        max(0, math.floor((x - across) / 2) * 2),
        max(0, math.floor((y - down) / 2) * 2),
        min(out.width, math.ceil((x + across) / 2) * 2),
        min(out.height, math.ceil((y + down) / 2) * 2),
    )


def _moved(content: Frame, mask: Plane, place: Placement, box: Box, out: Frame) -> tuple[Part, Plane]:
    """The part of the canvas in the box as the picture has it, and how much of it is seen."""
    if place.fills and (content.width, content.height) == (out.width, out.height):
        return Part(content.y.copy(), content.u.copy(), content.v.copy()), mask
    planes = [*(_shrunk(plane, place.scale) for plane in (content.y, content.u, content.v)), mask]
    whole, half = (box.right - box.left, box.bottom - box.top), 0.5
    y, u, v, shown = (
        _warped(plane, _from_box(_inverse(place, content, plane, out, part), box, part), whole, part, clear=clear)
        for plane, part, clear in zip(planes, (1, half, half, 1), (False, False, False, True), strict=True)
    )
    return Part(y, u, v), shown


def _from_box(matrix: NDArray[np.float64], box: Box, part: float) -> NDArray[np.float64]:
    start = np.array([box.left, box.top]) * part
    return np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ start])


def _shrunk(plane: Plane, scale: float) -> Plane:
    """A plane that is at most twice as large as it will be seen: a warp reads four pixels, whatever lies between."""
    while scale < 0.5 and min(plane.shape) > 8:
        plane, scale = (
            as_plane(cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)),
            scale * 2,
        )
    return plane


def _warped(plane: Plane, matrix: NDArray[np.float64], size: tuple[int, int], part: float, *, clear: bool) -> Plane:
    return as_plane(
        cv2.warpAffine(
            plane,
            matrix,
            (round(size[0] * part), round(size[1] * part)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if clear else cv2.BORDER_REPLICATE,
        )
    )


# --- its shadow -------------------------------------------------------------------------------------------------------


def _cast(content: Frame, mask: Plane, place: Placement, out: Frame) -> None:
    """Darken what lies below, softly and a little lower than the picture will be."""
    small = (math.ceil(out.width * COARSE), math.ceil(out.height * COARSE))
    rough = _shrunk(mask, max(1.0, place.scale) * COARSE)
    matrix = _inverse(place, content, rough, out, COARSE)
    matrix[:, 2] -= matrix[:, :2] @ np.array([0, SHADOW_DROP * out.width * COARSE])
    found = _warped(rough, matrix, small, 1, clear=True)
    soft = cv2.GaussianBlur(
        found, (0, 0), max(0.6, SHADOW_SOFTNESS * out.width * COARSE), borderType=cv2.BORDER_CONSTANT
    )
    soft = cv2.convertScaleAbs(soft, alpha=SHADOW_DEPTH * place.shadow * place.opacity)
    for plane, rest in ((out.y, BLACK), (out.u, NEUTRAL), (out.v, NEUTRAL)):
        wide = cv2.resize(soft, (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LINEAR)
        cover(plane, np.full_like(plane, rest), as_plane(wide))
