"""Easings lead from 0 to 1 as their names say, and keyframes along them."""

from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest

from fenta.contracts.timeline import EasingName, Keyframe
from fenta.render.compose.curves import EASINGS, eased, in_order, value_at

NAMES = get_args(EasingName)
# CSS gives these points for `ease`, `ease-in`, `ease-out`; the values are those of browsers.
CSS = [((0.25, 0.1, 0.25, 1), 0.8024), ((0.42, 0, 1, 1), 0.3153), ((0, 0, 0.58, 1), 0.6847)]


def test_every_word_for_an_easing_is_known() -> None:
    assert set(EASINGS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_easing_leads_from_nought_to_one_and_never_back(name: Any) -> None:
    values = [eased(name, position) for position in np.linspace(0, 1, 101)]
    assert (values[0], values[-1]) == pytest.approx((0, 1))
    assert all(before <= after for before, after in pairwise(values))


@pytest.mark.parametrize("family", ["sine", "quad", "cubic"])
def test_a_family_starts_slowly_ends_slowly_or_does_both(family: str) -> None:
    start, end, both = (EASINGS[f"ease_{way}_{family}"] for way in ("in", "out", "in_out"))
    assert start(0.1) < 0.05
    assert end(0.1) > 0.15
    assert start(0.3) == pytest.approx(1 - end(0.7))
    assert both(0.2) == pytest.approx(start(0.4) / 2)
    assert both(0.8) == pytest.approx(0.5 + end(0.6) / 2)


@pytest.mark.parametrize(("points", "middle"), CSS)
def test_a_bezier_curve_is_that_of_css(points: Any, middle: float) -> None:
    assert eased(points, 0.5) == pytest.approx(middle, abs=1e-3)
    assert (eased(points, 0), eased(points, 1)) == pytest.approx((0, 1))


def test_a_bezier_curve_may_overshoot() -> None:
    assert max(eased((0.3, 1.8, 0.5, 1), position) for position in np.linspace(0, 1, 50)) > 1.1


KEYFRAMES = [
    Keyframe(at_ms=100, value=2, easing="linear"),
    Keyframe(at_ms=300, value=6, easing="ease_in_quad"),
    Keyframe(at_ms=500, value=0),
]


@pytest.mark.parametrize(
    ("now", "value"), [(0, 2), (100, 2), (150, 3), (200, 4), (300, 6), (400, 6 - 6 * 0.25), (500, 0), (900, 0)]
)
def test_a_value_goes_from_keyframe_to_keyframe_on_the_way_of_the_first(now: float, value: float) -> None:
    assert value_at(KEYFRAMES, now) == pytest.approx(value)


def test_one_keyframe_holds_for_ever() -> None:
    assert [value_at(KEYFRAMES[:1], now) for now in (0, 100, 5000)] == [2, 2, 2]


def test_two_keyframes_at_one_moment_are_not_in_order() -> None:
    assert in_order(KEYFRAMES)
    assert not in_order([*KEYFRAMES, Keyframe(at_ms=500, value=1)])
    assert not in_order(KEYFRAMES[::-1])
