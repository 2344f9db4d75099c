"""Composes any range of a film's frames; what a frame shows follows from its absolute number alone."""

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from fenta.contracts.timeline import Canvas
from fenta.render.compose import transitions
from fenta.render.compose.colour import to_yuv
from fenta.render.compose.frame import Frame
from fenta.render.compose.layers import Layer, open_layer
from fenta.render.compose.laying import lay
from fenta.render.compose.pictures import BACKGROUND
from fenta.render.compose.placement import placement
from fenta.render.compose.shading import Shading
from fenta.render.timeline import FramePlan, Shot, View

# One worker per core is the parallelism; OpenCV's own threads would only get in the way of the others.
cv2.setNumThreads(1)

# What is seen where a picture of the first track leaves room.
GROUND = tuple(int(plane.item()) for plane in to_yuv(np.array([[BACKGROUND]], np.uint8)))


@dataclass
class Statistics:
    """What was seen of each frame while composing: mean luma, and how much it differs from the one before, which nobody
    knows of the first."""

    luma: list[float] = field(default_factory=list)
    change: list[float | None] = field(default_factory=list)


class Composer:
    """Draws ranges of frames. Holds the pictures of the shots in view, and no others: the next range may show them
    too."""

    def __init__(self, plan: FramePlan, sources: Mapping[str, Path], folder: Path) -> None:
        self._plan, self._sources, self._folder = plan, sources, folder
        self._shading = Shading(plan)
        self._layers: dict[tuple[int, int], Layer] = {}
        self._contents: dict[tuple[int, int], Frame] = {}
        self._out, self._below, self._above = (Frame(plan.canvas.width, plan.canvas.height) for _ in range(3))
        self.statistics = Statistics()

    @property
    def canvas(self) -> Canvas:
        return self._plan.canvas

    def frames(self, first: int, last: int) -> Generator[Frame]:
        """The frames of `[first, last)`, each valid until the next one is asked for."""
        self.statistics, before = Statistics(), None
        try:
            for number in range(first, last):
                self._compose(number)
                before = self._observe(before)
                yield self._out
        finally:
            self._keep([key for key, layer in self._layers.items() if layer.lasting])

    def _compose(self, number: int) -> None:
        view = self._plan.view(number)
        self._keep([shot.key for shot in view.shots])
        if view.above is None:
            self._draw(view.below, number, self._out)
        else:
            self._mix(view, view.above, number)
        for shot in view.over:
            self._lay(shot, number, self._out)
        self._shading.apply(number, self._out, self._brightness(view, number))

    def _mix(self, view: View, above: Shot, number: int) -> None:
        kind = above.clip.transition.kind if above.clip.transition else "cut"
        closer_below, closer_above = transitions.closeness(kind, view.share)
        self._draw(view.below, number, self._below, closer_below)
        self._draw(above, number, self._above, closer_above)
        transitions.mix(kind, self._below, self._above, view.share, self._out)

    def _draw(self, shot: Shot, number: int, frame: Frame, closer: float = 1.0) -> None:
        """A shot of the first track. One that fills the canvas is drawn where it will be seen, with no detour."""
        if shot.fills:
            self._layer(shot, number).draw(number, frame, closer=closer)
        else:
            frame.fill(*GROUND)
            self._lay(shot, number, frame, closer)

    def _lay(self, shot: Shot, number: int, frame: Frame, closer: float = 1.0) -> None:
        layer = self._layer(shot, number)
        content = self._contents.setdefault(shot.key, Frame(*layer.size))
        layer.draw(number, content, closer=closer)
        now_ms = (number - shot.first) * 1000 / self._plan.fps
        lay(content, placement(shot.clip, now_ms).moved_to(layer.home), shot.clip.blend, frame)

    def _brightness(self, view: View, number: int) -> float:
        below = self._layer(view.below, number).brightness
        if view.above is None:
            return below
        return below + (self._layer(view.above, number).brightness - below) * view.share

    def _layer(self, shot: Shot, number: int) -> Layer:
        if shot.key not in self._layers:
            self._layers[shot.key] = open_layer(self._plan, shot, self._sources, number, self._folder)
        return self._layers[shot.key]

    def _keep(self, visible: Collection[tuple[int, int]]) -> None:
        for key in self._layers.keys() - set(visible):
            self._layers.pop(key).close()
            self._contents.pop(key, None)

    def _observe(self, before: np.ndarray | None) -> np.ndarray:
        sample = self._out.sample()
        self.statistics.luma.append(round(float(sample.mean()), 2))
        changed = None if before is None else round(float(cv2.absdiff(sample, before).mean()), 5)
        self.statistics.change.append(changed)
        return sample
