"""Nine dots on a picture, followed through the renderer: where they are seen, and where they should be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fenta.contracts.timeline import Canvas, Motion, VideoClip
from fenta.render.compose import camera, pictures
from fenta.render.compose.frame import Frame
from tests.support.pictures import jerk

# A dot's width, as a share of the picture's; half of a window around it, in dots.
WIDTH, AROUND = 7 / 540, 2


@dataclass(frozen=True)
class Dots:
    """A picture of twice the canvas' size in a file; a move of so many frames at 30 a second."""

    canvas: Canvas
    path: Path
    frames: int = 90

    @property
    def size(self) -> tuple[int, int]:
        return 2 * self.canvas.width, 2 * self.canvas.height

    @property
    def seconds(self) -> float:
        return (self.frames - 1) / 30

    @property
    def places(self) -> list[tuple[float, float]]:
        width, height = self.size
        return [(x * width, y * height) for x in (0.352, 0.5, 0.648) for y in (0.354, 0.5, 0.646)]

    def paint(self) -> "Dots":
        width, height = self.size
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        picture = np.full((height, width), 30.0)
        for centre_x, centre_y in self.places:
            picture += 200 * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * (WIDTH * width) ** 2))
        cv2.imwrite(str(self.path), np.repeat(picture.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2))
        return self

    def planes(self, motion: Motion) -> pictures.Planes:
        source = {"kind": "colour", "colour": "#000000"}
        clip = VideoClip(id="c", start_ms=0, duration_ms=1000, motion=motion, source=source)
        return pictures.load(self.path, clip, self.canvas)

    def seen_by(self, motion: Motion, position: float) -> camera.Matrix:
        """From the canvas to the picture."""
        pose = camera.pose(motion, position, position * self.seconds)
        return camera.matrix(pose, self.size, (self.canvas.width, self.canvas.height))

    def ideal(self, motion: Motion, position: float) -> list[tuple[float, float]]:
        places = np.array([[x - 0.5 for x, _ in self.places], [y - 0.5 for _, y in self.places], [1.0] * 9])
        found = np.linalg.inv(self.seen_by(motion, position)) @ places
        return [(x / w, y / w) for x, y, w in found.T]

    def followed(self, motion: Motion, draw: Any = camera.draw) -> tuple[np.ndarray, np.ndarray]:
        """Where the nine dots are in every frame, and where they should be: (frames, dots, 2)."""
        loaded, frame, found, wanted = self.planes(motion), Frame(self.canvas.width, self.canvas.height), [], []
        for position in np.linspace(0, 1, self.frames):
            draw(loaded, motion, float(position), frame, seconds=position * self.seconds)
            wanted.append(self.ideal(motion, float(position)))
            found.append([self._centroid(frame.y, place) for place in wanted[-1]])
        return np.array(found), np.array(wanted)

    def jerk(self, motion: Motion, draw: Any = camera.draw) -> float:
        """Of the error against the ideal move."""
        found, wanted = self.followed(motion, draw)
        return jerk(found - wanted)

    def _centroid(self, luma: np.ndarray, near: tuple[float, float]) -> tuple[float, float]:
        reach = round(AROUND * 2 * WIDTH * self.canvas.width)
        left, top = round(near[0]) - reach, round(near[1]) - reach
        window = luma[top : top + 2 * reach + 1, left : left + 2 * reach + 1].astype(float)
        weights = np.clip(window - window.min() - 12, 0, None)
        rows, columns = np.indices(window.shape)
        total = weights.sum()
        return left + float((weights * columns).sum() / total), top + float((weights * rows).sum() / total)


def backward_steps(found: np.ndarray, *, still: float) -> int:
    """How many steps of dots go against the way of the whole move by more than `still` pixels."""
    way = np.sign(found[-1] - found[0]) * (np.abs(found[-1] - found[0]) > 1)
    return int((np.diff(found, axis=0) * way < -still).sum())
