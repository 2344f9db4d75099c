"""A clip lies where it says, as large as it says, turned, rounded, faded and shaded as it says."""

from typing import Any

import numpy as np
import pytest

from fenta.contracts.timeline import ColourSource, Keyframe, VideoClip
from fenta.render.compose.frame import Frame
from fenta.render.compose.laying import lay
from fenta.render.compose.placement import Placement, fills_the_canvas, placement

WIDTH, HEIGHT = 200, 300
GROUND, PAINT = 60, 200


def flat(luma: int, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    frame = Frame(width, height)
    frame.fill(luma, 100, 150)
    return frame


def laid(content: Frame | None = None, mode: str = "normal", **given: Any) -> Frame:
    out = flat(GROUND)
    out.u[:], out.v[:] = 140, 110
    lay(content or flat(PAINT), Placement(**given), mode, out)
    return out


def cover(frame: Frame) -> np.ndarray:
    """0 where the ground is seen, 1 where the clip is."""
    return (frame.y.astype(float) - GROUND) / (PAINT - GROUND)


def middle(frame: Frame) -> tuple[float, float]:
    shares = cover(frame)
    rows, columns = np.indices(shares.shape) + 0.5
    return float((shares * columns).sum() / shares.sum()), float((shares * rows).sum() / shares.sum())


@pytest.mark.parametrize(
    ("x", "y", "scale"), [(0.5, 0.5, 0.5), (0.3, 0.6, 0.3), (0.4137, 0.5519, 0.3331), (0.5, 0.5, 0.2)]
)
def test_position_and_scale_hold_to_a_part_of_a_pixel(x: float, y: float, scale: float) -> None:
    frame = laid(x=x, y=y, scale=scale)
    assert middle(frame) == pytest.approx((x * WIDTH, y * HEIGHT), abs=0.1)
    assert cover(frame).sum() == pytest.approx(WIDTH * HEIGHT * scale**2, rel=0.02)


def test_what_glides_slowly_never_jumps() -> None:
    """A twentieth of a pixel per frame."""
    places = [middle(laid(x=0.5 + number / 4000, scale=0.4))[0] for number in range(40)]
    assert np.allclose(np.diff(places), 0.05, atol=0.02)


def test_the_planes_lie_over_one_another() -> None:
    frame = laid(x=0.37, y=0.61, scale=0.45)
    wide = np.repeat(np.repeat((frame.u.astype(float) - 140) / (100 - 140), 2, axis=0), 2, axis=1)
    assert np.abs(wide - cover(frame)).max() < 0.75
    assert np.abs(wide - cover(frame)).mean() < 0.01


@pytest.mark.parametrize("degrees", [0, 30, 90, -45, 180])
def test_a_turn_keeps_the_size_and_goes_clockwise(degrees: float) -> None:
    frame = laid(scale=0.4, rotation_degrees=degrees)
    assert cover(frame).sum() == pytest.approx(WIDTH * HEIGHT * 0.16, rel=0.02)
    marked = flat(GROUND)
    marked.y[:75] = PAINT
    x, y = middle(laid(marked, scale=0.4, rotation_degrees=degrees))
    angle = np.radians(degrees)
    # The marked upper quarter lies 112.5 pixels above the middle of the clip.
    assert x - WIDTH / 2 == pytest.approx(112.5 * 0.4 * np.sin(angle), abs=1.5)
    assert y - HEIGHT / 2 == pytest.approx(-112.5 * 0.4 * np.cos(angle), abs=1.5)


def test_a_whole_round_corner_makes_a_circle_of_a_square() -> None:
    frame = laid(flat(PAINT, 120, 120), corner_radius=1)
    assert cover(frame).sum() == pytest.approx(np.pi * 60**2, rel=0.01)
    assert cover(laid(flat(PAINT, 120, 120), corner_radius=0.5)).sum() == pytest.approx(
        120**2 - (4 - np.pi) * 30**2, rel=0.01
    )


def test_opacity_is_the_share_that_is_seen() -> None:
    assert cover(laid(opacity=0.25)).mean() == pytest.approx(0.25, abs=0.01)
    assert cover(laid(opacity=0)).max() == 0


def test_what_is_clear_in_a_picture_stays_clear() -> None:
    content = flat(PAINT)
    content.alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    content.alpha[:150] = 255
    frame = laid(content)
    assert cover(frame)[:150].min() == pytest.approx(1, abs=0.01)
    assert cover(frame)[150:].max() == 0
    assert middle(laid(content, scale=0.5)) == pytest.approx((100, 112.5), abs=0.5)


def test_a_shadow_falls_around_and_below() -> None:
    plain, shaded = laid(scale=0.5), laid(scale=0.5, shadow=1)
    darker = plain.y.astype(int) - shaded.y
    assert darker[75:225, 50:150].max() <= 0
    above, below = darker[70, 100], darker[230, 100]
    assert below > above > 2
    assert darker[5, 5] == 0


def test_a_clip_outside_the_canvas_is_not_seen() -> None:
    for given in ({"x": -0.6}, {"x": 1.6}, {"y": 1.7}, {"y": -0.8, "scale": 0.2}):
        assert np.array_equal(laid(**given).data, laid(opacity=0).data)


def test_a_blend_mode_counts_where_the_clip_lies_and_only_there() -> None:
    frame = laid(mode="multiply", scale=0.5)
    assert frame.y[150, 100] < GROUND
    assert frame.y[10, 10] == GROUND


def test_a_small_copy_of_a_fine_pattern_is_grey() -> None:
    """Reading four pixels of many would show moiré."""
    content = flat(GROUND)
    content.y[::2, ::2] = 255
    inside = laid(content, scale=0.2).y[130:170, 90:110]
    assert inside.std() < 8


# --- at which moment --------------------------------------------------------------------------------------------------


def clip(**given: Any) -> VideoClip:
    return VideoClip(id="c", start_ms=0, duration_ms=1000, source=ColourSource(colour="#336699"), **given)


@pytest.mark.parametrize(("now", "opacity"), [(0, 0), (100, 0.5), (200, 1), (700, 1), (850, 0.5), (1000, 0)])
def test_a_clip_fades_in_and_out(now: float, opacity: float) -> None:
    assert placement(clip(fade_in_ms=200, fade_out_ms=300), now).opacity == pytest.approx(opacity)


@pytest.mark.parametrize("name", ["x", "y", "scale", "rotation_degrees", "opacity", "corner_radius", "shadow"])
def test_every_property_may_have_keyframes(name: Any) -> None:
    points = [Keyframe(at_ms=0, value=0.2, easing="linear"), Keyframe(at_ms=1000, value=0.6)]
    found = placement(clip(keyframes={name: points}), 500)
    assert getattr(found, name) == pytest.approx(0.4)
    others = {key: value for key, value in vars(found).items() if key != name}
    assert others == {key: value for key, value in vars(Placement()).items() if key != name}


@pytest.mark.parametrize(
    ("given", "fills"),
    [
        ({}, True),
        ({"effects": [{"kind": "blur"}]}, True),
        ({"effects": [{"kind": "chroma_key"}]}, False),
        ({"scale": 0.9}, False),
        ({"opacity": 0.9}, False),
        ({"fade_out_ms": 100}, False),
        ({"keyframes": {"x": [Keyframe(at_ms=0, value=0.5)]}}, False),
    ],
)
def test_only_what_fills_the_canvas_takes_the_short_way(given: Any, fills: bool) -> None:
    assert fills_the_canvas(clip(**given)) is fills
