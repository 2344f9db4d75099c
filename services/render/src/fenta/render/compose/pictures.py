"""Still pictures: decoded once, fitted to the canvas, kept as planes of twice its size."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fenta.contracts.timeline import Canvas, VideoClip
from fenta.render.errors import RenderRefused

# Read by OpenCV when it is imported: a picture that claims to be larger is refused before it is decoded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "120000000")

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.render.compose.frame import Plane

OVERSIZE = 2
# Wider or taller sources are cut to this much more than the canvas shows, or a pan would race across them.
ROOM = 1.35
BACKGROUND = (18, 14, 12)

_K, _C = 219 / 255, 224 / 255
# BGR to BT.709 of limited range.
_TO_YUV = np.array(
    [
        [0.0722 * _K, 0.7152 * _K, 0.2126 * _K, 16],
        [0.5 * _C, -0.7152 / 1.8556 * _C, -0.2126 / 1.8556 * _C, 128],
        [-0.0722 / 1.5748 * _C, -0.7152 / 1.5748 * _C, 0.5 * _C, 128],
    ]
)

Bgr = NDArray[np.uint8]


@dataclass(frozen=True)
class Planes:
    """A picture ready for the camera: luma of `OVERSIZE` times the canvas or a little more, chroma of half that."""

    y: Plane
    u: Plane
    v: Plane
    brightness: float


def load(path: Path, clip: VideoClip, canvas: Canvas) -> Planes:
    """Raises RenderRefused `source_invalid` when the file is not a picture."""
    picture = _read(path, clip.id)
    framing = clip.by_aspect.get(canvas.aspect)
    fit = (framing and framing.fit) or clip.fit
    focus = (framing and framing.focus) or clip.focus
    if fit == "cover":
        return _planes(_trimmed(picture, canvas, focus), canvas)
    return _planes(_inside(picture, canvas, blurred=fit == "blur"), canvas)


def to_yuv(picture: Bgr) -> tuple[Plane, Plane, Plane]:
    """Full-size planes."""
    y, u, v = cv2.split(cv2.transform(picture, _TO_YUV))
    return _bytes(y), _bytes(u), _bytes(v)


def _bytes(array: Any) -> Plane:
    plane: Plane = array
    return plane


def _read(path: Path, clip_id: str) -> Bgr:
    try:
        decoded: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        layered: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if _may_be_clear(path) else None
    except (cv2.error, ValueError):
        decoded = None
    if decoded is None or min(decoded.shape[:2]) < 2:
        raise RenderRefused(
            "source_invalid", f"The picture of clip {clip_id} cannot be read.", "Replace the picture and try again."
        )
    return _on_background(layered) if layered is not None and _has_alpha(layered) else _bytes(decoded)


def _may_be_clear(path: Path) -> bool:
    # JPEG has no transparency, and asking for it would lose the turn that EXIF describes.
    with path.open("rb") as file:
        return not file.read(3).startswith(b"\xff\xd8\xff")


def _has_alpha(picture: Any) -> bool:
    return bool(picture.ndim == 3 and picture.shape[2] == 4 and picture.dtype == np.uint8)


def _on_background(picture: Any) -> Bgr:
    alpha = picture[:, :, 3:].astype(np.float32) / 255
    mixed: Bgr = (picture[:, :, :3] * alpha + np.array(BACKGROUND) * (1 - alpha)).round().astype(np.uint8)
    return mixed


def _trimmed(picture: Bgr, canvas: Canvas, focus: tuple[float, float]) -> Bgr:
    height, width = picture.shape[:2]
    widest = min(width, int(height * canvas.width / canvas.height * ROOM))
    tallest = min(height, int(width * canvas.height / canvas.width * ROOM))
    left, top = int((width - widest) * focus[0]), int((height - tallest) * focus[1])
    return picture[top : top + tallest, left : left + widest]


def _inside(picture: Bgr, canvas: Canvas, *, blurred: bool) -> Bgr:
    """The whole picture on a background of its own blur, or on a dark one."""
    width, height = canvas.width * OVERSIZE, canvas.height * OVERSIZE
    ground: Any = np.full((height, width, 3), BACKGROUND, np.uint8)
    if blurred:
        ground = _blurred(picture, canvas, width, height)
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w, h = max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale))
    left, top = (width - w) // 2, (height - h) // 2
    ground[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=_kernel(scale))
    return _bytes(ground)


def _blurred(picture: Bgr, canvas: Canvas, width: int, height: int) -> Bgr:
    # A blur of a small copy costs a hundredth of that of a large one and looks the same.
    small = cv2.resize(_trimmed(picture, canvas, (0.5, 0.5)), (90, 160), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 5) * 0.6
    large: Any = cv2.resize(soft.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return _bytes(large)


def _kernel(scale: float) -> int:
    return cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA


def _planes(picture: Bgr, canvas: Canvas) -> Planes:
    height, width = picture.shape[:2]
    scale = max(OVERSIZE * canvas.width / width, OVERSIZE * canvas.height / height)
    size = (_even(width * scale), _even(height * scale))
    # Planes are scaled after the conversion: chroma then has a quarter of the pixels to scale.
    y, u, v = to_yuv(picture)
    half = (size[0] // 2, size[1] // 2)
    luma = _resized(y, size)
    return Planes(luma, _resized(u, half), _resized(v, half), float(luma[::16, ::16].mean()))


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    scale = size[0] / plane.shape[1]
    return _bytes(cv2.resize(plane, size, interpolation=_kernel(scale))) if scale != 1 else plane.copy()


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
