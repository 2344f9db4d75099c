"""Camera moves: one warp per plane with sub-pixel positions, so that slow moves do not shake."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Motion
from fenta.render.compose.frame import Frame, Plane
from fenta.render.compose.pictures import Planes


def eased(motion: Motion, position: float) -> float:
    """A gentle start and end; the middle never runs more than half as fast again as a steady move."""
    if motion.easing == "linear":
        return position
    return position - math.sin(2 * math.pi * position) / (4 * math.pi)


def view(motion: Motion, position: float, size: tuple[int, int], out: tuple[int, int]) -> tuple[float, float, float]:
    """Left, top and scale of what is seen, in pixels of a source of `size` for a canvas of `out`."""
    share = eased(motion, position) if motion.kind == "ken_burns" else 0.0
    zoom = motion.from_zoom + (motion.to_zoom - motion.from_zoom) * share
    focus_x, focus_y = (
        start + (end - start) * share for start, end in zip(motion.from_focus, motion.to_focus, strict=True)
    )
    width = min(size[0], size[1] * out[0] / out[1]) / zoom
    height = width * out[1] / out[0]
    return (size[0] - width) * focus_x, (size[1] - height) * focus_y, width / out[0]


def draw(planes: Planes, motion: Motion, position: float, frame: Frame, *, closer: float = 1.0) -> None:
    """Draw what the camera sees; `closer` zooms in on the middle, as some transitions do."""
    size = (planes.y.shape[1], planes.y.shape[0])
    x, y, scale = view(motion, position, size, (frame.width, frame.height))
    shift = (1 - 1 / closer) * scale / 2
    x, y, scale = x + shift * frame.width, y + shift * frame.height, scale / closer
    _warp(planes.y, frame.y, x, y, scale)
    _warp(planes.u, frame.u, x / 2, y / 2, scale)
    _warp(planes.v, frame.v, x / 2, y / 2, scale)


def _warp(source: Plane, target: Plane, x: float, y: float, scale: float) -> None:
    # Half a pixel either way: positions mean pixel centres, not corners.
    matrix: NDArray[np.float64] = np.array([[scale, 0, x + scale / 2 - 0.5], [0, scale, y + scale / 2 - 0.5]])
    cv2.warpAffine(
        source,
        matrix,
        (target.shape[1], target.shape[0]),
        dst=target,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
