"""Between RGB and the YUV of films: BT.709 of limited range."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.frame import Plane, as_plane

Bgr = NDArray[np.uint8]

_K, _C = 219 / 255, 224 / 255
_TO_YUV = np.array(
    [
        [0.0722 * _K, 0.7152 * _K, 0.2126 * _K, 16],
        [0.5 * _C, -0.7152 / 1.8556 * _C, -0.2126 / 1.8556 * _C, 128],
        [-0.0722 / 1.5748 * _C, -0.7152 / 1.5748 * _C, 0.5 * _C, 128],
    ]
)
_BACK = np.linalg.inv(_TO_YUV[:, :3])
_TO_BGR = np.column_stack([_BACK, -_BACK @ _TO_YUV[:, 3]])


def to_yuv(picture: Bgr) -> tuple[Plane, Plane, Plane]:
    """Full-size planes."""
    y, u, v = cv2.split(cv2.transform(picture, _TO_YUV))
    return as_plane(y), as_plane(u), as_plane(v)


def yuv_of(hexadecimal: str) -> tuple[int, int, int]:
    """Of a colour like `#336699`."""
    red, green, blue = (int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5))
    y, u, v = (int(plane.item()) for plane in to_yuv(np.array([[[blue, green, red]]], np.uint8)))
    return y, u, v


def exact_yuv(bgr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of colours 0 to 1 in the last axis, without rounding."""
    found: NDArray[np.float64] = bgr * 255 @ _TO_YUV[:, :3].T + _TO_YUV[:, 3]
    return found


def exact_bgr(yuv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours 0 to 1 in the last axis; what no screen shows is cut off."""
    found: NDArray[np.float64] = np.clip((yuv @ _TO_BGR[:, :3].T + _TO_BGR[:, 3]) / 255, 0, 1)
    return found
