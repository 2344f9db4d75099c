"""Pictures that no file holds: gradients and shapes, drawn from what the timeline says of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Canvas, GradientSource, ShapeSource
from fenta.render.compose.colour import Bgr
from fenta.render.compose.frame import Plane, as_plane
from fenta.render.compose.pictures import OVERSIZE

# Shapes are drawn so many times larger than they are held, and made small again: that is what smooths their edges.
SMOOTHING = 2
Corners = NDArray[np.float64]


def bgr_of(hexadecimal: str) -> tuple[int, int, int]:
    red, green, blue = (int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


def gradient(source: GradientSource, canvas: Canvas) -> Bgr:
    """Of the canvas' size. Steps between near colours are broken up by noise of half a step, so that none is seen."""
    y, x = np.ogrid[0 : canvas.height, 0 : canvas.width]
    y, x = y.astype(np.float32) + 0.5, x.astype(np.float32) + 0.5
    along = _radial(x, y, canvas) if source.shape == "radial" else _linear(x, y, canvas, source.angle_degrees)
    stops = np.linspace(0, 1, len(source.colours))
    noise = np.random.default_rng(7).random((canvas.height, canvas.width), np.float32)
    picture = np.empty((canvas.height, canvas.width, 3), np.uint8)
    for channel, values in enumerate(zip(*(bgr_of(colour) for colour in source.colours), strict=True)):
        picture[:, :, channel] = np.clip(np.interp(along, stops, values) + noise, 0, 255)
    return as_plane(picture)


def _linear(x: Any, y: Any, canvas: Canvas, angle_degrees: float) -> Any:
    """0 and 1 are reached in opposite corners, or on opposite sides where the angle is a right one."""
    right, down = math.cos(math.radians(angle_degrees)), math.sin(math.radians(angle_degrees))
    reach = abs(right) * canvas.width / 2 + abs(down) * canvas.height / 2
    return ((x - canvas.width / 2) * right + (y - canvas.height / 2) * down) / (2 * reach) + 0.5


def _radial(x: Any, y: Any, canvas: Canvas) -> Any:
    far = math.hypot(canvas.width / 2, canvas.height / 2)
    return np.hypot(x - canvas.width / 2, y - canvas.height / 2) / far


def shape(source: ShapeSource, canvas: Canvas) -> tuple[Bgr, Plane, tuple[int, int]]:
    """Colours, what they cover, and the size on the canvas; the stroke lies inside."""
    side = min(canvas.width, canvas.height)
    size = _even(source.width * side), _even(source.height * side)
    large = (size[0] * OVERSIZE * SMOOTHING, size[1] * OVERSIZE * SMOOTHING)
    inset = source.stroke * side * OVERSIZE * SMOOTHING
    whole, inner = _SHAPES[source.shape](large, 0.0), _SHAPES[source.shape](large, inset)
    half = (large[0] // SMOOTHING, large[1] // SMOOTHING)
    cover, inside = (cv2.resize(mask, half, interpolation=cv2.INTER_AREA) for mask in (whole, inner))
    share = np.asarray(inside)[:, :, None] / 255
    colours = share * bgr_of(source.colour) + (1 - share) * bgr_of(source.stroke_colour)
    return as_plane(colours.round().astype(np.uint8)), as_plane(cover), size


def _even(pixels: float) -> int:
    return max(2, round(pixels / 2) * 2)


Draw = Callable[[tuple[int, int], float], Plane]


def _blank(size: tuple[int, int]) -> Plane:
    return np.zeros((size[1], size[0]), np.uint8)


def _polygon(corners: Corners) -> Draw:
    """Of corners in shares of the size. What is inset is smaller around the middle."""

    def draw(size: tuple[int, int], inset: float) -> Plane:
        mask, middle = _blank(size), corners.mean(axis=0)
        kept = max(0.0, 1 - 3 * inset / min(size)) if inset else 1.0
        points = (middle + (corners - middle) * kept) * size
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 255)
        return mask

    return draw


def _rectangle(size: tuple[int, int], inset: float) -> Plane:
    mask, edge = _blank(size), round(inset)
    mask[edge : size[1] - edge, edge : size[0] - edge] = 255
    return mask


def _ellipse(size: tuple[int, int], inset: float) -> Plane:
    mask, (wide, high) = _blank(size), size
    axes = (max(1, round(wide / 2 - inset)), max(1, round(high / 2 - inset)))
    cv2.ellipse(mask, (wide // 2, high // 2), axes, 0, 0, 360, 255, -1)
    return mask


def _ring(size: tuple[int, int], inset: float) -> Plane:
    mask = _ellipse(size, inset)
    hole = _ellipse(size, min(size) * 0.14 - inset)
    return as_plane(cv2.subtract(mask, hole))


def _star_corners() -> Corners:
    turns = np.arange(10) * math.pi / 5 - math.pi / 2
    far = np.where(np.arange(10) % 2 == 0, 0.5, 0.21)
    return np.stack([0.5 + far * np.cos(turns), 0.525 + far * np.sin(turns)], axis=1)


_SHAPES: Mapping[str, Draw] = {
    "rectangle": _rectangle,
    "ellipse": _ellipse,
    "ring": _ring,
    "triangle": _polygon(np.array([[0.5, 0.02], [0.98, 0.98], [0.02, 0.98]])),
    "star": _polygon(_star_corners()),
    "arrow": _polygon(
        np.array([[0, 0.34], [0.58, 0.34], [0.58, 0.08], [1, 0.5], [0.58, 0.92], [0.58, 0.66], [0, 0.66]])
    ),
}
