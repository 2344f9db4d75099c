"""How pictures are compared, and how far one has moved against another."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float64]


def grey(picture: NDArray[np.uint8]) -> Grey:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float64)


def blurred(plane: Grey) -> Grey:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float64)


def similarity(one: Grey, other: Grey) -> float:
    """The structural similarity of two pictures (Wang 2004), 1 for equal ones."""
    mean_one, mean_other = blurred(one), blurred(other)
    spread_one, spread_other = blurred(one**2) - mean_one**2, blurred(other**2) - mean_other**2
    shared = blurred(one * other) - mean_one * mean_other
    light = (2 * mean_one * mean_other + 6.5025) / (mean_one**2 + mean_other**2 + 6.5025)
    return float((light * (2 * shared + 58.5225) / (spread_one + spread_other + 58.5225)).mean())


def shift(wanted: Any, seen: Any) -> tuple[float, float]:
    """How far `seen` lies right of and below `wanted`, in parts of a pixel; brightness and contrast may differ.

    By least squares over the gradient (Lucas and Kanade 1981), so it holds for shifts well below a pixel.
    """
    wanted = np.asarray(wanted, np.float32)
    across, down = (cv2.Scharr(wanted, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1)))
    known = np.stack([across.ravel(), down.ravel(), wanted.ravel(), np.ones(wanted.size)], axis=1)
    right, below, contrast, _ = np.linalg.lstsq(known.T @ known, known.T @ np.ravel(seen).astype(float), rcond=None)[0]
    return float(-right / contrast), float(-below / contrast)


def jerk(paths: Any) -> float:
    """RMS of the second difference of positions, given as (frames, places, 2): pixels per frame squared."""
    return float(np.sqrt(np.mean(np.diff(np.asarray(paths, float), n=2, axis=0) ** 2)))
