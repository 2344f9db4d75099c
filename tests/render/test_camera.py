"""Camera moves glide: nine dots are followed through the real renderer."""

from typing import Any, get_args

import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import Camera, Canvas, Motion
from fenta.render.compose import camera
from fenta.render.compose.colour import to_yuv
from fenta.render.compose.frame import Frame
from fenta.render.compose.pictures import Planes
from tests.support.dots import Dots, backward_steps
from tests.support.pictures import jerk

CANVAS = Canvas(aspect="9:16", width=270, height=480)
JERK = 0.1

SLOW = Motion(**{"from": 1.0, "to": 1.05})
PUSH = Motion(**{"from": 1.02, "to": 1.24, "from_focus": (0.5, 0.5), "to_focus": (0.5, 0.42)})
NAMED = [Motion(kind=kind) for kind in get_args(Camera)]
CURVED = Motion(kind="drift", angle_degrees=200, easing=(0.3, 0, 0.1, 1))
PAN = Motion(**{"from": 1.16, "to": 1.16, "from_focus": (0.12, 0.5), "to_focus": (0.88, 0.45)})


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Dots:
    return Dots(CANVAS, tmp_path_factory.mktemp("dots") / "dots.png").paint()


def whole_pixels(loaded: Planes, motion: Motion, position: float, frame: Frame, *, seconds: float) -> None:
    """What crops at whole pixels of the canvas do: the fault that the test is for."""
    x, y, scale = camera.view(motion, position, (loaded.y.shape[1], loaded.y.shape[0]), (frame.width, frame.height))
    left, top, right, bottom = (
        2 * round(edge / 2) for edge in (x, y, x + frame.width * scale, y + frame.height * scale)
    )
    cut = loaded.y[top:bottom, left:right]
    frame.y[:] = cv2.resize(cut, (frame.width, frame.height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN, CURVED, *NAMED], ids=lambda motion: motion.kind)
def test_moves_are_smooth_and_exact(dots: Dots, motion: Motion) -> None:
    found, wanted = dots.followed(motion)
    assert jerk(found - wanted) <= JERK / 2
    assert np.abs(found - wanted).max() <= 0.25


# Dots that stay where they are go neither way; the noise of eight bits is less than this.
STILL = 0.01


@pytest.mark.parametrize("kind", ["push_in", "pull_out", "pan_left", "pan_right", "tilt_up", "tilt_down", "drift"])
def test_no_dot_ever_steps_back(dots: Dots, kind: Any) -> None:
    found, _ = dots.followed(Motion(kind=kind))
    assert backward_steps(found, still=STILL) == 0
    assert (np.abs(found[-1] - found[0]) > 1).sum() >= 9


@pytest.mark.parametrize(
    ("kind", "right", "down"),
    [("pan_left", 1, 0), ("pan_right", -1, 0), ("tilt_up", 0, 1), ("tilt_down", 0, -1), ("drift", -1, -1)],
)
def test_the_picture_goes_against_the_camera(dots: Dots, kind: Any, right: int, down: int) -> None:
    found, _ = dots.followed(Motion(kind=kind))
    moved = (found[-1] - found[0])[4]
    assert [round(np.sign(way)) if abs(way) > 5 else 0 for way in moved] == [right, down]


def test_a_push_goes_towards_its_focus_and_a_pull_away_from_it(dots: Dots) -> None:
    """The focus stays where it is on the canvas; all else leaves it, or comes to it."""
    motion = Motion(kind="push_in", focus=(0.3, 0.7))
    place = np.array([0.3 * dots.size[0] - 0.5, 0.7 * dots.size[1] - 0.5, 1])
    start, end = (np.linalg.inv(dots.seen_by(motion, position)) @ place for position in (0, 1))
    assert np.allclose(start, end, atol=1e-6)
    assert camera.pose(motion, 1).zoom > camera.pose(motion, 0).zoom
    away = Motion(kind="pull_out", focus=(0.3, 0.7))
    assert camera.pose(away, 0) == camera.pose(motion, 1)


def test_an_orbit_shows_the_near_side_larger(dots: Dots) -> None:
    found, _ = dots.followed(Motion(kind="orbit"))
    left, right = (found[:, [column, column + 2], 1] for column in (0, 6))
    heights = (left[:, 1] - left[:, 0], right[:, 1] - right[:, 0])
    assert heights[0][0] < heights[1][0] * 0.98
    assert heights[1][-1] < heights[0][-1] * 0.98


def test_a_hand_sways_and_turns_a_little(dots: Dots) -> None:
    found, _ = dots.followed(Motion(kind="handheld"))
    right, down = (found[:, 6] - found[:, 0]).T
    turned = np.degrees(np.arctan2(down, right))
    assert 0.2 < turned.max() - turned.min() < 1.2
    assert 1 < np.ptp(found[:, 4], axis=0).min() < np.ptp(found[:, 4], axis=0).max() < 15


def test_strength_is_how_far_a_move_goes(dots: Dots) -> None:
    still, _ = dots.followed(Motion(kind="push_in", strength=0))
    strong, _ = dots.followed(Motion(kind="push_in", strength=2))
    usual, _ = dots.followed(Motion(kind="push_in"))
    ways = [float(np.abs(found[-1] - found[0]).max()) for found in (still, usual, strong)]
    assert ways[0] < STILL
    assert ways[2] > 1.5 * ways[1] > 15


@pytest.mark.parametrize("motion", [SLOW, Motion(kind="handheld"), Motion(kind="orbit")])
def test_any_moment_looks_the_same_whatever_was_drawn_before(dots: Dots, motion: Motion) -> None:
    one, other = Frame(CANVAS.width, CANVAS.height), Frame(CANVAS.width, CANVAS.height)
    loaded = dots.planes(motion)
    camera.draw(loaded, motion, 0.9, other, seconds=2.7)
    camera.draw(loaded, motion, 0.3, other, seconds=0.9)
    camera.draw(dots.planes(motion), motion, 0.3, one, seconds=0.9)
    assert np.array_equal(one.data, other.data)


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN])
def test_moves_by_whole_pixels_would_be_noticed(dots: Dots, motion: Motion) -> None:
    assert dots.jerk(motion, whole_pixels) > JERK


STRONG = [Motion(kind=kind, strength=2, focus=focus) for kind in get_args(Camera) for focus in ((0, 0), (1, 0.5))]


@pytest.mark.parametrize("motion", [SLOW, PUSH, PAN, CURVED, *NAMED, *STRONG], ids=lambda motion: motion.kind)
def test_the_camera_never_leaves_the_picture(dots: Dots, motion: Motion) -> None:
    corners = np.array([[-0.5, 269.5, -0.5, 269.5], [-0.5, -0.5, 479.5, 479.5], [1, 1, 1, 1]])
    for position in np.linspace(0, 1, 50):
        x, y, w = dots.seen_by(motion, float(position)) @ corners
        assert (x / w).min() >= -0.5 - 1e-6
        assert (x / w).max() <= dots.size[0] - 0.5 + 1e-6
        assert (y / w).min() >= -0.5 - 1e-6
        assert (y / w).max() <= dots.size[1] - 0.5 + 1e-6


def test_every_word_for_a_move_is_known() -> None:
    assert set(camera.MOVES) == {*get_args(Camera), "ken_burns"}


def test_colours_are_bt709_of_limited_range() -> None:
    patches = np.array([[[255, 255, 255], [0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 0, 0]]], np.uint8)
    y, u, v = to_yuv(patches)
    assert y[0].tolist() == [235, 16, 63, 173, 32]
    assert u[0].tolist() == [128, 128, 102, 42, 240]
    assert v[0].tolist() == [128, 128, 240, 26, 118]
