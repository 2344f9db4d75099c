"""Blend modes do to red, green and blue what everybody knows them for."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from fenta.contracts.timeline import Blend
from fenta.render.compose.blending import LIGHTS, PLANES, blend, cover
from fenta.render.compose.colour import exact_bgr, exact_yuv
from fenta.render.compose.frame import Frame

Light = Any
# As the W3C's Compositing and Blending says them, for lights from 0 to 1; `b` is below, `a` above.
FORMULAS: dict[str, Callable[[Light, Light], Light]] = {
    "multiply": lambda b, a: b * a,
    "screen": lambda b, a: b + a - b * a,
    "overlay": lambda b, a: np.where(b < 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b)),
    "add": lambda b, a: np.minimum(1, b + a),
    "subtract": lambda b, a: np.maximum(0, b - a),
    "darken": np.minimum,
    "lighten": np.maximum,
    "soft_light": lambda b, a: np.where(
        a <= 0.5,
        b - (1 - 2 * a) * b * (1 - b),
        b + (2 * a - 1) * (np.where(b <= 0.25, ((16 * b - 12) * b + 4) * b, np.sqrt(b)) - b),
    ),
    "hard_light": lambda b, a: np.where(a < 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b)),
    "difference": lambda b, a: np.abs(b - a),
    "exclusion": lambda b, a: b + a - 2 * a * b,
    "colour_dodge": lambda b, a: np.where(b == 0, 0, np.minimum(1, b / np.maximum(1e-9, 1 - a))),
    "colour_burn": lambda b, a: np.where(b == 1, 1, 1 - np.minimum(1, (1 - b) / np.maximum(1e-9, a))),
}
COLOURS = [(0.9, 0.2, 0.3), (0.2, 0.6, 0.4), (0.15, 0.25, 0.7), (0.8, 0.75, 0.2), (0.5, 0.5, 0.5), (0.95, 0.9, 0.92)]
PAIRS = [(below, above) for below in COLOURS for above in COLOURS]


def field(*bgr: tuple[float, float, float]) -> Frame:
    """Squares of 8 pixels in one row."""
    frame = Frame(8 * len(bgr), 8)
    for number, colour in enumerate(bgr):
        y, u, v = (round(float(value)) for value in exact_yuv(np.array(colour)))
        frame.y[:, 8 * number : 8 * number + 8] = y
        frame.u[:, 4 * number : 4 * number + 4] = u
        frame.v[:, 4 * number : 4 * number + 4] = v
    return frame


def seen(frame: Frame) -> np.ndarray:
    """The colours in the middles of the squares, 0 to 1."""
    places = np.stack([frame.y[4, 3::8], frame.u[2, 2::4], frame.v[2, 2::4]], axis=-1)
    return exact_bgr(places.astype(float))


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_a_mode_is_its_formula_on_red_green_and_blue(name: str) -> None:
    below, above = field(*(pair[0] for pair in PAIRS)), field(*(pair[1] for pair in PAIRS))
    wanted = np.clip(FORMULAS[name](seen(below), seen(above)), 0, 1)
    blend(name, below, above)
    errors = np.abs(seen(above) - wanted) * 255
    # Where a mode is steep, a rounded light counts several times.
    steep = 14 if name in {"colour_dodge", "colour_burn"} else 5
    assert errors.max() <= steep
    assert errors.mean() <= 1.5


def test_every_word_for_a_mode_is_known() -> None:
    assert {*LIGHTS, *PLANES} == set(get_args(Blend))


def test_colour_and_luminosity_take_one_half_of_each_picture() -> None:
    blue, grey = (0.7, 0.2, 0.15), (0.5, 0.5, 0.5)
    below, above = field(grey), field(blue)
    blend("colour", below, above)
    assert (above.y[4, 4], above.u[2, 2]) == (field(grey).y[4, 4], field(blue).u[2, 2])
    below, above = field(grey), field(blue)
    blend("luminosity", below, above)
    assert (above.y[4, 4], above.u[2, 2]) == (field(blue).y[4, 4], field(grey).u[2, 2])


def test_the_lower_picture_stays_as_it_is() -> None:
    below, above = field(COLOURS[0]), field(COLOURS[1])
    before = below.data.copy()
    for name in LIGHTS:
        blend(name, below, above)
    assert np.array_equal(below.data, before)


def test_what_covers_itself_is_not_changed() -> None:
    """Both shares are rounded apart; for equal pictures the roundings add up to nothing."""
    values, masks = (plane.astype(np.uint8) for plane in np.meshgrid(np.arange(256), np.arange(256)))
    below = values.copy()
    cover(below, values.copy(), masks)
    assert np.array_equal(below, values)


def test_a_mask_says_how_much_is_covered() -> None:
    below, above = np.full((2, 3), 40, np.uint8), np.full((2, 3), 200, np.uint8)
    cover(below, above, np.array([[0, 255, 128]] * 2, np.uint8))
    assert below[0].tolist() == [40, 200, 120]
