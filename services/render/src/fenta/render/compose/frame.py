"""A frame in the one form in which it is composed: packed YUV 4:2:0, and a plane of coverage if need be."""

from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


def as_plane(array: Any) -> Plane:
    """What OpenCV returns, under the type that it has."""
    plane: Plane = array
    return plane


def paired(low: Plane, high: Plane) -> NDArray[np.uint16]:
    """`low + 256 * high` for every pixel: the place in a table over two planes."""
    both: Any = cv2.merge((low, high))
    index: NDArray[np.uint16] = both.view("<u2")[:, :, 0]
    return index


BLACK, NEUTRAL, WHITE = 16, 128, 235


class Sheet(Protocol):
    """Three planes of a picture of any size; `alpha`, as large as `y`, says how much of it covers what is below."""

    y: Plane
    u: Plane
    v: Plane
    alpha: Plane | None


class Frame:
    """One buffer with a view for each plane; `width` and `height` are even. Without `alpha` it covers everything."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        pixels, quarter = width * height, width * height // 4
        self.data: Plane = np.zeros(pixels + 2 * quarter, np.uint8)
        self.y: Plane = self.data[:pixels].reshape(height, width)
        self.u: Plane = self.data[pixels : pixels + quarter].reshape(height // 2, width // 2)
        self.v: Plane = self.data[pixels + quarter :].reshape(height // 2, width // 2)
        self.alpha: Plane | None = None

    def planes(self) -> Iterator[Plane]:
        yield from (self.y, self.u, self.v)

    def all(self) -> Iterator[Plane]:
        """The planes, and the coverage where there is one."""
        yield from self.planes()
        if self.alpha is not None:
            yield self.alpha

    def covered(self) -> Plane:
        """A plane for the coverage: the one that is there, or a new one."""
        return self.alpha if self.alpha is not None else np.empty((self.height, self.width), np.uint8)

    def fill(self, y: int, u: int, v: int) -> None:
        for plane, value in zip(self.planes(), (y, u, v), strict=True):
            plane[:] = value

    def copy_from(self, other: "Frame") -> None:
        """Become the same picture as another frame of the same size."""
        self.data[:] = other.data
        self.alpha = other.alpha

    def sample(self) -> NDArray[Any]:
        """Every eighth pixel of the luma plane: enough to see black and standing pictures."""
        return self.y[::8, ::8].copy()
