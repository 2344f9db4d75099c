"""Camera moves glide: nine dots are followed through the real renderer."""

from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import Camera, Canvas, Motion, VideoClip
from fenta.render.compose import camera, pictures
from fenta.render.compose.colour import to_yuv
from fenta.render.compose.frame import Frame
from tests.support.pictures import jerk

CANVAS = Canvas(aspect="9:16", width=270, height=480)
SOURCE = (540, 960)
FRAMES = 90
SECONDS = (FRAMES - 1) / 30
DOTS = [(x, y) for x in (190, 270, 350) for y in (340, 480, 620)]
JERK = 0.1

SLOW = Motion(**{"from": 1.0, "to": 1.05})
PUSH = Motion(**{"from": 1.02, "to": 1.24, "from_focus": (0.5, 0.5), "to_focus": (0.5, 0.42)})
NAMED = [Motion(kind=kind) for kind in get_args(Camera)]
CURVED = Motion(kind="drift", angle_degrees=200, easing=(0.3, 0, 0.1, 1))
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


def seen_by(motion: Motion, position: float) -> camera.Matrix:
    """From the canvas to the source."""
    pose = camera.pose(motion, position, position * SECONDS)
    return camera.matrix(pose, SOURCE, (CANVAS.width, CANVAS.height))


def ideal(motion: Motion, position: float) -> list[tuple[float, float]]:
    found = np.linalg.inv(seen_by(motion, position)) @ [[x - 0.5 for x, _ in DOTS], [y - 0.5 for _, y in DOTS], [1] * 9]
    return [(x / w, y / w) for x, y, w in found.T]


def centroid(luma: np.ndarray, near: tuple[float, float]) -> tuple[float, float]:
    left, top = round(near[0]) - 14, round(near[1]) - 14
    window = luma[top : top + 29, left : left + 29].astype(float)
    weights = np.clip(window - window.min() - 12, 0, None)
    rows, columns = np.indices(window.shape)
    return left + float((weights * columns).sum() / weights.sum()), top + float((weights * rows).sum() / weights.sum())


def followed(path: Path, motion: Motion, draw: Any = camera.draw) -> tuple[np.ndarray, np.ndarray]:
    """Where the nine dots are in every frame, and where they should be: (frames, dots, 2)."""
    loaded, frame, found, wanted = planes(path, motion), Frame(CANVAS.width, CANVAS.height), [], []
    for position in np.linspace(0, 1, FRAMES):
        draw(loaded, motion, float(position), frame, seconds=position * SECONDS)
        wanted.append(ideal(motion, float(position)))
        found.append([centroid(frame.y, place) for place in wanted[-1]])
    return np.array(found), np.array(wanted)


def jerk_of(path: Path, motion: Motion, draw: Any = camera.draw) -> float:
    """Of the error against the ideal move."""
    found, wanted = followed(path, motion, draw)
    return jerk(found - wanted)


def whole_pixels(loaded: pictures.Planes, motion: Motion, position: float, frame: Frame, *, seconds: float) -> None:
    """What crops at whole pixels of the canvas do: the fault that the test is for."""
    x, y, scale = camera.view(motion, position, (loaded.y.shape[1], loaded.y.shape[0]), (frame.width, frame.height))
    left, top, right, bottom = (
        2 * round(edge / 2) for edge in (x, y, x + frame.width * scale, y + frame.height * scale)
    )
    cut = loaded.y[top:bottom, left:right]
    frame.y[:] = cv2.resize(cut, (frame.width, frame.height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN, CURVED, *NAMED], ids=lambda motion: motion.kind)
def test_moves_are_smooth_and_exact(dots: Path, motion: Motion) -> None:
    found, wanted = followed(dots, motion)
    assert jerk(found - wanted) <= JERK / 2
    assert np.abs(found - wanted).max() <= 0.25


# Dots that stay where they are go neither way; the noise of eight bits is less than this.
STILL = 0.01


@pytest.mark.parametrize("kind", ["push_in", "pull_out", "pan_left", "pan_right", "tilt_up", "tilt_down", "drift"])
def test_no_dot_ever_steps_back(dots: Path, kind: Any) -> None:
    found, _ = followed(dots, Motion(kind=kind))
    way = np.sign(found[-1] - found[0]) * (np.abs(found[-1] - found[0]) > 1)
    steps = np.diff(found, axis=0) * way
    assert steps.min() > -STILL
    assert np.abs(way).sum() >= 9


@pytest.mark.parametrize(
    ("kind", "right", "down"),
    [("pan_left", 1, 0), ("pan_right", -1, 0), ("tilt_up", 0, 1), ("tilt_down", 0, -1), ("drift", -1, -1)],
)
def test_the_picture_goes_against_the_camera(dots: Path, kind: Any, right: int, down: int) -> None:
    found, _ = followed(dots, Motion(kind=kind))
    moved = (found[-1] - found[0])[4]
    assert [round(np.sign(way)) if abs(way) > 5 else 0 for way in moved] == [right, down]


def test_a_push_goes_towards_its_focus_and_a_pull_away_from_it() -> None:
    """The focus stays where it is on the canvas; all else leaves it, or comes to it."""
    motion = Motion(kind="push_in", focus=(0.3, 0.7))
    place = np.array([0.3 * SOURCE[0] - 0.5, 0.7 * SOURCE[1] - 0.5, 1])
    start, end = (np.linalg.inv(seen_by(motion, position)) @ place for position in (0, 1))
    assert np.allclose(start, end, atol=1e-6)
    assert camera.pose(motion, 1).zoom > camera.pose(motion, 0).zoom
    away = Motion(kind="pull_out", focus=(0.3, 0.7))
    assert camera.pose(away, 0) == camera.pose(motion, 1)


def test_an_orbit_shows_the_near_side_larger(dots: Path) -> None:
    found, _ = followed(dots, Motion(kind="orbit"))
    left, right = (found[:, [column, column + 2], 1] for column in (0, 6))
    heights = (left[:, 1] - left[:, 0], right[:, 1] - right[:, 0])
    assert heights[0][0] < heights[1][0] * 0.98
    assert heights[1][-1] < heights[0][-1] * 0.98


def test_a_hand_sways_and_turns_a_little(dots: Path) -> None:
    found, _ = followed(dots, Motion(kind="handheld"))
    right, down = (found[:, 6] - found[:, 0]).T
    turned = np.degrees(np.arctan2(down, right))
    assert 0.2 < turned.max() - turned.min() < 1.2
    assert 1 < np.ptp(found[:, 4], axis=0).min() < np.ptp(found[:, 4], axis=0).max() < 15


def test_strength_is_how_far_a_move_goes(dots: Path) -> None:
    still, _ = followed(dots, Motion(kind="push_in", strength=0))
    strong, _ = followed(dots, Motion(kind="push_in", strength=2))
    usual, _ = followed(dots, Motion(kind="push_in"))
    ways = [float(np.abs(found[-1] - found[0]).max()) for found in (still, usual, strong)]
    assert ways[0] < STILL
    assert ways[2] > 1.5 * ways[1] > 15


@pytest.mark.parametrize("motion", [SLOW, Motion(kind="handheld"), Motion(kind="orbit")])
def test_any_moment_looks_the_same_whatever_was_drawn_before(dots: Path, motion: Motion) -> None:
    one, other = Frame(CANVAS.width, CANVAS.height), Frame(CANVAS.width, CANVAS.height)
    loaded = planes(dots, motion)
    camera.draw(loaded, motion, 0.9, other, seconds=2.7)
    camera.draw(loaded, motion, 0.3, other, seconds=0.9)
    camera.draw(planes(dots, motion), motion, 0.3, one, seconds=0.9)
    assert np.array_equal(one.data, other.data)


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN])
def test_moves_by_whole_pixels_would_be_noticed(dots: Path, motion: Motion) -> None:
    assert jerk_of(dots, motion, whole_pixels) > JERK


STRONG = [Motion(kind=kind, strength=2, focus=focus) for kind in get_args(Camera) for focus in ((0, 0), (1, 0.5))]


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN, CURVED, *NAMED, *STRONG], ids=lambda motion: motion.kind)
def test_the_camera_never_leaves_the_picture(motion: Motion) -> None:
    corners = np.array([[-0.5, 269.5, -0.5, 269.5], [-0.5, -0.5, 479.5, 479.5], [1, 1, 1, 1]])
    for position in np.linspace(0, 1, 50):
        x, y, w = seen_by(motion, float(position)) @ corners
        assert (x / w).min() >= -0.5 - 1e-6
        assert (x / w).max() <= SOURCE[0] - 0.5 + 1e-6
        assert (y / w).min() >= -0.5 - 1e-6
        assert (y / w).max() <= SOURCE[1] - 0.5 + 1e-6


def test_every_word_for_a_move_is_known() -> None:
    assert set(camera.MOVES) == {*get_args(Camera), "ken_burns"}


def test_colours_are_bt709_of_limited_range() -> None:
    patches = np.array([[[255, 255, 255], [0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 0, 0]]], np.uint8)
    y, u, v = to_yuv(patches)
    assert y[0].tolist() == [235, 16, 63, 173, 32]
    assert u[0].tolist() == [128, 128, 102, 42, 240]
    assert v[0].tolist() == [128, 128, 240, 26, 118]
