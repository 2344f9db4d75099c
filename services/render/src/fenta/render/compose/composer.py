"""Composes any range of a film's frames; what a frame shows follows from its absolute number alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from fenta.contracts.timeline import Canvas
from fenta.render.compose import transitions
from fenta.render.compose.frame import Frame
from fenta.render.compose.layers import Layer, open_layer
from fenta.render.compose.shading import Shading
from fenta.render.timeline import FramePlan, Shot, View

# One worker per core is the parallelism; OpenCV's own threads would only get in the way of the others.
cv2.setNumThreads(1)


@dataclass
class Statistics:
    """What was seen of each frame while composing: mean luma, and how much it differs from the one before."""

    luma: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)


class Composer:
    """Draws frames in rising order. Holds the pictures of the shots in view, at most two, and no others."""

    def __init__(self, plan: FramePlan, sources: Mapping[str, Path], folder: Path) -> None:
        self._plan, self._sources, self._folder = plan, sources, folder
        self._shading = Shading(plan)
        self._layers: dict[int, Layer] = {}
        self._out, self._below, self._above = (Frame(plan.canvas.width, plan.canvas.height) for _ in range(3))
        self.statistics = Statistics()

    @property
    def canvas(self) -> Canvas:
        return self._plan.canvas

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """The frames of `[first, last)`, each valid until the next one is asked for."""
        before = None
        try:
            for number in range(first, last):
                self._compose(number)
                before = self._observe(before)
                yield self._out
        finally:
            self._keep(())

    def _compose(self, number: int) -> None:
        view = self._plan.view(number)
        self._keep([shot.first for shot in (view.below, view.above) if shot])
        if view.above is None:
            self._layer(view.below, number).draw(number, self._out, closer=1.0)
        else:
            self._mix(view, view.above, number)
        self._shading.apply(number, self._out, self._brightness(view, number))

    def _mix(self, view: View, above: Shot, number: int) -> None:
        kind = above.clip.transition.kind if above.clip.transition else "cut"
        closer_below, closer_above = transitions.closeness(kind, view.share)
        self._layer(view.below, number).draw(number, self._below, closer=closer_below)
        self._layer(above, number).draw(number, self._above, closer=closer_above)
        transitions.mix(kind, self._below, self._above, view.share, self._out)

    def _brightness(self, view: View, number: int) -> float:
        below = self._layer(view.below, number).brightness
        if view.above is None:
            return below
        return below + (self._layer(view.above, number).brightness - below) * view.share

    def _layer(self, shot: Shot, number: int) -> Layer:
        if shot.first not in self._layers:
            self._layers[shot.first] = open_layer(self._plan, shot, self._sources, number, self._folder)
        return self._layers[shot.first]

    def _keep(self, visible: list[int] | tuple[()]) -> None:
        for key in self._layers.keys() - set(visible):
            self._layers.pop(key).close()

    def _observe(self, before: np.ndarray | None) -> np.ndarray:
        sample = self._out.sample()
        self.statistics.luma.append(round(float(sample.mean()), 2))
        changed = 255.0 if before is None else float(cv2.absdiff(sample, before).mean())
        self.statistics.change.append(round(changed, 5))
        return sample
