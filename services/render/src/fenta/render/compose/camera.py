"""Camera moves: one warp per plane with sub-pixel positions, so that slow moves do not shake."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Motion
from fenta.render.compose.curves import eased
from fenta.render.compose.frame import Frame, Plane
from fenta.render.compose.pictures import Planes

Size = tuple[int, int]
Matrix = NDArray[np.float64]

BEAT_SECONDS = 1.2
# Of the picture's width: how far away the eye is from which an orbiting camera sees it.
EYE = 1.6


@dataclass(frozen=True)
class Pose:
    """Where the camera stands: how near, where in the room that is left, and how it is turned.

    `roll_degrees` turns the picture in its plane, `yaw_degrees` around its upright axis.
    """

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5
    roll_degrees: float = 0.0
    yaw_degrees: float = 0.0


@dataclass(frozen=True)
class Moment:
    """When in a shot: `share` of the way, eased, and seconds since its beginning."""

    share: float
    seconds: float


Move = Callable[[Motion, Moment], Pose]


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _static(motion: Motion, at: Moment) -> Pose:
    """Stands still."""
    return Pose(1.0, *motion.focus)


def _ken_burns(motion: Motion, at: Moment) -> Pose:
    """From one zoom and focus to another."""
    zoom = _between(motion.from_zoom, motion.to_zoom, at.share)
    x, y = (_between(*ends, at.share) for ends in zip(motion.from_focus, motion.to_focus, strict=True))
    return Pose(zoom, x, y)


def _push_in(motion: Motion, at: Moment) -> Pose:
    """Slowly nearer, towards the focus."""
    return Pose(1.02 + 0.2 * motion.strength * at.share, *motion.focus)


def _pull_out(motion: Motion, at: Moment) -> Pose:
    """Slowly away, from the focus."""
    return Pose(1.02 + 0.2 * motion.strength * (1 - at.share), *motion.focus)


def _along(right: float, down: float) -> Move:
    """A straight way through the room that a closer view leaves, through its middle or the other axis of the focus."""

    def move(motion: Motion, at: Moment) -> Pose:
        """Along the picture, to the side that the word says."""
        way = 0.76 * (at.share - 0.5)
        x = 0.5 + way * right if right else motion.focus[0]
        y = 0.5 + way * down if down else motion.focus[1]
        return Pose(1 + 0.16 * motion.strength, x, y)

    return move


def _drift(motion: Motion, at: Moment) -> Pose:
    """Along a slanting way, a little nearer all the time."""
    angle, way = math.radians(motion.angle_degrees), 0.7 * (at.share - 0.5)
    zoom = 1 + (0.1 + 0.06 * at.share) * motion.strength
    return Pose(zoom, 0.5 + way * math.cos(angle), 0.5 + way * math.sin(angle))


def _handheld(motion: Motion, at: Moment) -> Pose:
    """A hand's sway: slow waves whose lengths have no common measure, so that nothing is seen to repeat."""
    right, down, roll = (_sway(at.seconds, phase) for phase in (0.0, 2.1, 4.4))
    # Room is left on all sides for the turned corners, wherever the focus is.
    x, y = (0.4 + 0.2 * focus + 0.15 * way for focus, way in zip(motion.focus, (right, down), strict=True))
    return Pose(1.05 + 0.05 * motion.strength, x, y, roll_degrees=0.45 * motion.strength * roll)


def _sway(seconds: float, phase: float) -> float:
    waves = ((0.31, 0.5), (0.73, 0.3), (1.27, 0.2))
    return sum(weight * math.sin(2 * math.pi * hertz * seconds + phase * (1 + hertz)) for hertz, weight in waves)


def _pulse(motion: Motion, at: Moment) -> Pose:
    """Comes near and goes away again with a steady beat."""
    beat = (0.5 - 0.5 * math.cos(2 * math.pi * at.seconds / BEAT_SECONDS)) ** 2
    return Pose(1.02 + 0.07 * motion.strength * beat, *motion.focus)


def _orbit(motion: Motion, at: Moment) -> Pose:
    """Around the picture's upright axis, from its left to its right, looking at the same place."""
    turn = 2 * at.share - 1
    zoom = 1 + 0.2 * motion.strength
    return Pose(zoom, 0.5 - 0.3 * turn, 0.35 + 0.3 * motion.focus[1], yaw_degrees=12 * motion.strength * turn)


MOVES: Mapping[str, Move] = {
    "static": _static,
    "ken_burns": _ken_burns,
    "push_in": _push_in,
    "pull_out": _pull_out,
    "pan_left": _along(-1, 0),
    "pan_right": _along(1, 0),
    "tilt_up": _along(0, -1),
    "tilt_down": _along(0, 1),
    "drift": _drift,
    "handheld": _handheld,
    "pulse": _pulse,
    "orbit": _orbit,
}


def pose(motion: Motion, position: float, seconds: float = 0.0) -> Pose:
    """Where the camera stands at `position`, 0 to 1, of a shot, `seconds` after its beginning."""
    return MOVES[motion.kind](motion, Moment(eased(motion.easing, position), seconds))


def view(motion: Motion, position: float, size: Size, out: Size) -> tuple[float, float, float]:
    """Left, top and scale of what is seen by a camera that does not turn, in pixels of a source of `size`."""
    seen = pose(motion, position)
    width = min(size[0], size[1] * out[0] / out[1]) / max(1.0, seen.zoom)
    height = width * out[1] / out[0]
    return (size[0] - width) * seen.x, (size[1] - height) * seen.y, width / out[0]


def matrix(seen: Pose, size: Size, out: Size, *, closer: float = 1.0) -> Matrix:
    """From a pixel of a plane of `out` to one of a source plane of `size`: 3 x 3, pixel centres being whole numbers."""
    widest = min(size[0], size[1] * out[0] / out[1]) / max(1.0, seen.zoom)
    scale = widest / out[0]
    x = widest / 2 + (size[0] - widest) * seen.x
    y = scale * out[1] / 2 + (size[1] - scale * out[1]) * seen.y
    around = _turn(seen.roll_degrees) @ _yaw(seen.yaw_degrees, out[0]) @ _moved(-out[0] / 2, -out[1] / 2)
    return _moved(x - 0.5, y - 0.5) @ np.diag([scale / closer, scale / closer, 1]) @ around @ _moved(0.5, 0.5)


def _moved(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _turn(degrees: float) -> Matrix:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])


def _yaw(degrees: float, width: int) -> Matrix:
    """Where a ray through the canvas meets a picture that is turned around its upright axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return np.array([[1, 0, 0], [0, cosine, 0], [-sine / (EYE * width), 0, cosine]])


def draw(
    planes: Planes, motion: Motion, position: float, frame: Frame, *, seconds: float = 0.0, closer: float = 1.0
) -> None:
    """Draw what the camera sees; `closer` zooms in on the middle, or out of it below 1, as some transitions do."""
    seen = pose(motion, position, seconds)
    frame.alpha = None if planes.alpha is None else frame.covered()
    for source, target in zip(planes.all(), frame.all(), strict=True):
        _warp(source, target, matrix(seen, _size(source), _size(target), closer=closer))


def _size(plane: Plane) -> Size:
    return plane.shape[1], plane.shape[0]


def _warp(source: Plane, target: Plane, found: Matrix) -> None:
    flat = bool(found[2, 0] == 0 and found[2, 1] == 0)
    warp, given = (cv2.warpAffine, found[:2] / found[2, 2]) if flat else (cv2.warpPerspective, found)
    # Beyond its edge a picture goes on as in a mirror, which nobody notices in the midst of a quick zoom.
    warp(
        source,
        given,
        _size(target),
        dst=target,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
