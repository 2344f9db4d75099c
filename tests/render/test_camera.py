"""Camera moves glide: nine dots are followed through the real renderer."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import Canvas, Motion, VideoClip
from fenta.render.compose import camera, pictures
from fenta.render.compose.frame import Frame
from tests.support.pictures import jerk

CANVAS = Canvas(aspect="9:16", width=270, height=480)
SOURCE = (540, 960)
FRAMES = 90
DOTS = [(x, y) for x in (190, 270, 350) for y in (340, 480, 620)]
JERK = 0.1

SLOW = Motion(**{"from": 1.0, "to": 1.05})
PUSH = Motion(**{"from": 1.02, "to": 1.24, "from_focus": (0.5, 0.5), "to_focus": (0.5, 0.42)})
PAN = Motion(**{"from": 1.16, "to": 1.16, "from_focus": (0.12, 0.5), "to_focus": (0.88, 0.45)})


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x, y = np.meshgrid(np.arange(SOURCE[0]) + 0.5, np.arange(SOURCE[1]) + 0.5)
    picture = np.full(SOURCE[::-1], 30.0)
    for centre_x, centre_y in DOTS:
        picture += 200 * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * 7.0**2))
    path = tmp_path_factory.mktemp("dots") / "dots.png"
    cv2.imwrite(str(path), np.repeat(picture.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2))
    return path


def planes(path: Path, motion: Motion) -> pictures.Planes:
    clip = VideoClip(
        id="c", start_ms=0, duration_ms=1000, motion=motion, source={"kind": "colour", "colour": "#000000"}
    )
    return pictures.load(path, clip, CANVAS)


def ideal(motion: Motion, position: float) -> list[tuple[float, float]]:
    x, y, scale = camera.view(motion, position, SOURCE, (CANVAS.width, CANVAS.height))
    return [((dot_x - x) / scale - 0.5, (dot_y - y) / scale - 0.5) for dot_x, dot_y in DOTS]


def centroid(luma: np.ndarray, near: tuple[float, float]) -> tuple[float, float]:
    left, top = round(near[0]) - 14, round(near[1]) - 14
    window = luma[top : top + 29, left : left + 29].astype(float)
    weights = np.clip(window - window.min() - 12, 0, None)
    rows, columns = np.indices(window.shape)
    return left + float((weights * columns).sum() / weights.sum()), top + float((weights * rows).sum() / weights.sum())


def jerk_of(path: Path, motion: Motion, draw: Any = camera.draw) -> float:
    """Of the error against the ideal move."""
    loaded, frame, errors = planes(path, motion), Frame(CANVAS.width, CANVAS.height), []
    for number in range(FRAMES):
        position = number / (FRAMES - 1)
        draw(loaded, motion, position, frame)
        wanted = ideal(motion, position)
        found = [centroid(frame.y, place) for place in wanted]
        errors.append([(fx - wx, fy - wy) for (fx, fy), (wx, wy) in zip(found, wanted, strict=True)])
    return jerk(errors)


def whole_pixels(loaded: pictures.Planes, motion: Motion, position: float, frame: Frame) -> None:
    """What crops at whole pixels of the canvas do: the fault that the test is for."""
    x, y, scale = camera.view(motion, position, (loaded.y.shape[1], loaded.y.shape[0]), (frame.width, frame.height))
    left, top, right, bottom = (
        2 * round(edge / 2) for edge in (x, y, x + frame.width * scale, y + frame.height * scale)
    )
    cut = loaded.y[top:bottom, left:right]
    frame.y[:] = cv2.resize(cut, (frame.width, frame.height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN])
def test_moves_are_smooth(dots: Path, motion: Motion) -> None:
    assert jerk_of(dots, motion) <= JERK / 2


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN])
def test_moves_by_whole_pixels_would_be_noticed(dots: Path, motion: Motion) -> None:
    assert jerk_of(dots, motion, whole_pixels) > JERK


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN])
def test_the_camera_never_leaves_the_picture(motion: Motion) -> None:
    for position in np.linspace(0, 1, 50):
        x, y, scale = camera.view(motion, float(position), SOURCE, (270, 480))
        assert x >= 0
        assert y >= 0
        assert x + 270 * scale <= SOURCE[0] + 1e-6
        assert y + 480 * scale <= SOURCE[1] + 1e-6


def test_colours_are_bt709_of_limited_range() -> None:
    patches = np.array([[[255, 255, 255], [0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 0, 0]]], np.uint8)
    y, u, v = pictures.to_yuv(patches)
    assert y[0].tolist() == [235, 16, 63, 173, 32]
    assert u[0].tolist() == [128, 128, 102, 42, 240]
    assert v[0].tolist() == [128, 128, 240, 26, 118]
