"""How clips come and go: where an animation begins, where it ends, and that it is never seen again in between."""

from typing import get_args

import pytest

from fenta.contracts.timeline import Animation, AnimationName, OverlayClip
from fenta.render.compose.animations import ANIMATIONS, NONE, change, changed

MOVING = [name for name in get_args(AnimationName) if name != "none"]


def overlay(**given: object) -> OverlayClip:
    return OverlayClip.model_validate({"id": "o", "start_ms": 0, "duration_ms": 2000, "text": "x", **given})


@pytest.mark.parametrize("name", MOVING)
def test_a_clip_comes_from_elsewhere_or_from_nothing_and_then_stands(name: AnimationName) -> None:
    clip = overlay(enter=Animation(kind=name, duration_ms=400), leave=Animation(kind=name, duration_ms=400))
    assert change(clip, 0) != NONE
    assert change(clip, 400) == change(clip, 1000) == change(clip, 1600) == NONE
    # The same way backwards.
    assert change(clip, 1900) == change(clip, 100) != NONE


def test_every_word_has_its_way_and_at_once_is_one_of_them() -> None:
    assert set(ANIMATIONS) == set(get_args(AnimationName))
    assert changed(Animation(kind="none"), None, 1000, 0) == NONE


def test_what_is_short_comes_in_half_of_its_time() -> None:
    clip = overlay(duration_ms=300, enter=Animation(kind="wipe_right", duration_ms=5000, easing="linear"))
    assert change(clip, 75).shown == pytest.approx(0.5)
    assert change(clip, 150) == NONE


def test_an_easing_of_ones_own_is_followed() -> None:
    steady, quick = (
        overlay(enter=Animation(kind="wipe_right", easing=easing)) for easing in ("linear", "ease_out_quad")
    )
    assert change(steady, 100).shown == pytest.approx(0.25)
    assert change(quick, 100).shown == pytest.approx(0.4375)
    assert max(change(overlay(enter=Animation(kind="pop")), at).scale for at in range(0, 400, 20)) > 1.02
