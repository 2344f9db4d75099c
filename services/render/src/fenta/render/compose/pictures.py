"""Still pictures: decoded once, fitted to the canvas, kept as planes of twice its size."""

import os
from collections.abc import Iterator
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

from fenta.render import sniffing
from fenta.render.compose.colour import Bgr, to_yuv
from fenta.render.compose.frame import Plane, as_plane

OVERSIZE = 2
# Wider or taller sources are cut to this much more than the canvas shows, or a pan would race across them.
ROOM = 1.35
BACKGROUND = (18, 14, 12)


@dataclass
class Planes:
    """A picture ready for the camera: luma of `OVERSIZE` times the canvas or a little more, chroma of half that.

    `alpha`, as large as the luma, is there where a picture lets something shine through that is below it.
    """

    y: Plane
    u: Plane
    v: Plane
    alpha: Plane | None
    brightness: float

    def all(self) -> Iterator[Plane]:
        yield from (self.y, self.u, self.v)
        if self.alpha is not None:
            yield self.alpha

    def seen_brightness(self) -> float:
        """The mean luma."""
        return float(self.y[::16, ::16].mean())


def load(path: Path, clip: VideoClip, canvas: Canvas) -> Planes:
    """A picture that fills the canvas. Raises RenderRefused `source_invalid` when the file is none."""
    colours, alpha = _read(path, clip.id)
    picture = colours if alpha is None else _on_background(colours, alpha)
    fit, focus = framing(clip, canvas)
    if fit == "cover":
        return _planes(_trimmed(picture, canvas, focus), canvas)
    return _planes(_inside(picture, canvas, blurred=fit == "blur"), canvas)


def load_above(path: Path, clip: VideoClip, canvas: Canvas) -> tuple[Planes, tuple[int, int]]:
    """A picture to lie over others, and its size on the canvas: what is clear in it stays clear.

    With `contain` it has its own shape, with no bars around it. Raises RenderRefused `source_invalid`.
    """
    colours, alpha = _read(path, clip.id)
    fit, focus = framing(clip, canvas)
    if fit == "blur":
        return load(path, clip, canvas), (canvas.width, canvas.height)
    if fit == "contain":
        canvas = own_shape(colours.shape[1], colours.shape[0], canvas)
    if alpha is None:
        return _planes(_trimmed(colours, canvas, focus), canvas), (canvas.width, canvas.height)
    planes = _planes(_trimmed(_bled(colours, alpha), canvas, focus), canvas)
    planes.alpha = _resized(_trimmed(alpha, canvas, focus), (planes.y.shape[1], planes.y.shape[0]))
    return planes, (canvas.width, canvas.height)


def drawn(colours: Bgr, alpha: Plane | None, size: tuple[int, int]) -> Planes:
    """A picture that was drawn for this size on a canvas."""
    canvas = Canvas.model_construct(aspect="1:1", width=size[0], height=size[1])
    planes = _planes(colours if alpha is None else _bled(colours, alpha), canvas)
    if alpha is not None:
        planes.alpha = _resized(alpha, (planes.y.shape[1], planes.y.shape[0]))
    return planes


def load_inside(path: Path, clip_id: str, most: tuple[int, int]) -> tuple[Planes, tuple[int, int]]:
    """A picture of its own shape, no larger than `most` pixels, and its size. Raises RenderRefused `source_invalid`."""
    colours, alpha = _read(path, clip_id)
    room = Canvas.model_construct(aspect="1:1", width=most[0], height=most[1])
    own = own_shape(colours.shape[1], colours.shape[0], room)
    return drawn(colours, alpha, (own.width, own.height)), (own.width, own.height)


def framing(clip: VideoClip, canvas: Canvas) -> tuple[str, tuple[float, float]]:
    """Fit and focus on this canvas."""
    other = clip.by_aspect.get(canvas.aspect)
    return (other and other.fit) or clip.fit, (other and other.focus) or clip.focus


def own_shape(width: int, height: int, canvas: Canvas) -> Canvas:
    """The largest place on the canvas of the shape of a picture."""
    scale = min(canvas.width / width, canvas.height / height)
    return canvas.model_copy(update={"width": _even(width * scale), "height": _even(height * scale)})


def _read(path: Path, clip_id: str) -> tuple[Bgr, Plane | None]:
    """The picture, and how much of it covers what is below, where it says that."""
    kind = sniffing.picture(path, clip_id)
    try:
        decoded: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        # JPEG has no transparency, and asking for it would lose the turn that EXIF describes.
        layered: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if kind != "jpeg" else None
    except (cv2.error, ValueError):
        decoded = None
    if decoded is None or min(decoded.shape[:2]) < 2:
        raise RenderRefused(
            "source_invalid", f"The picture of clip {clip_id} cannot be read.", "Replace the picture and try again."
        )
    if layered is None or not _has_alpha(layered):
        return as_plane(decoded), None
    if layered.dtype == np.uint16:
        layered = (layered >> 8).astype(np.uint8)
    return np.ascontiguousarray(layered[:, :, :3]), np.ascontiguousarray(layered[:, :, 3])


def _has_alpha(picture: Any) -> bool:
    return bool(
        picture.ndim == 3 and picture.shape[2] == 4 and picture.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
    )


def _on_background(colours: Bgr, alpha: Plane) -> Bgr:
    cover = alpha[:, :, None].astype(np.float32) / 255
    mixed: Bgr = (colours * cover + np.array(BACKGROUND) * (1 - cover)).round().astype(np.uint8)
    return mixed


def _bled(colours: Bgr, alpha: Plane) -> Bgr:
    """What is clear takes the colour of what is near: whatever a file has there would show as a fringe."""
    cover = alpha[:, :, None].astype(np.float32) / 255
    near = cv2.blur(colours * cover, (9, 9)) / np.maximum(cv2.blur(cover, (9, 9))[:, :, None], 1e-3)
    return np.where(alpha[:, :, None] > 0, colours, near.astype(np.uint8))


def _trimmed(picture: NDArray[np.uint8], canvas: Canvas, focus: tuple[float, float]) -> NDArray[np.uint8]:
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
    return as_plane(ground)


def _blurred(picture: Bgr, canvas: Canvas, width: int, height: int) -> Bgr:
    # A blur of a small copy costs a hundredth of that of a large one and looks the same.
    small = cv2.resize(_trimmed(picture, canvas, (0.5, 0.5)), small_size(canvas), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 5) * 0.6
    large: Any = cv2.resize(soft.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return as_plane(large)


def small_size(canvas: Canvas) -> tuple[int, int]:
    """Of a copy that is about to be blurred: 90 pixels on the shorter side, both even."""
    side = min(canvas.width, canvas.height)
    return _even(90 * canvas.width / side), _even(90 * canvas.height / side)


def _kernel(scale: float) -> int:
    return cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA


def _planes(picture: Bgr, canvas: Canvas) -> Planes:
    height, width = picture.shape[:2]
    scale = max(OVERSIZE * canvas.width / width, OVERSIZE * canvas.height / height)
    size = (_even(width * scale), _even(height * scale))
    # Planes are scaled after the conversion: chroma then has a quarter of the pixels to scale.
    y, u, v = to_yuv(picture)
    half = (size[0] // 2, size[1] // 2)
    planes = Planes(_resized(y, size), _resized(u, half), _resized(v, half), None, 0.0)
    planes.brightness = planes.seen_brightness()
    return planes


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    scale = size[0] / plane.shape[1]
    return as_plane(cv2.resize(plane, size, interpolation=_kernel(scale))) if scale != 1 else plane.copy()


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
