"""A frame in the one form in which it is composed and encoded: packed YUV 4:2:0."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

BLACK, NEUTRAL = 16, 128


class Frame:
    """One buffer with a view for each plane; `width` and `height` are even."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        pixels, quarter = width * height, width * height // 4
        self.data: Plane = np.zeros(pixels + 2 * quarter, np.uint8)
        self.y: Plane = self.data[:pixels].reshape(height, width)
        self.u: Plane = self.data[pixels : pixels + quarter].reshape(height // 2, width // 2)
        self.v: Plane = self.data[pixels + quarter :].reshape(height // 2, width // 2)

    def planes(self) -> Iterator[Plane]:
        yield from (self.y, self.u, self.v)

    def fill(self, y: int, u: int, v: int) -> None:
        for plane, value in zip(self.planes(), (y, u, v), strict=True):
            plane[:] = value

    def sample(self) -> NDArray[Any]:
        """Every eighth pixel of the luma plane: enough to see black and standing pictures."""
        return self.y[::8, ::8].copy()
