"""Every transition begins with the old picture, ends with the new one, and goes the way that its name says."""

from typing import Any, get_args

import numpy as np
import pytest

from fenta.contracts.timeline import Transition, TransitionName
from fenta.render.compose.frame import Frame
from fenta.render.compose.transitions import SYNONYMS, TRANSITIONS, closeness, mix

WIDTH, HEIGHT = 108, 192
OLD, NEW = 60, 180
NAMES = [name for name in get_args(TransitionName) if name != "cut"]


def flat(luma: int) -> Frame:
    frame = Frame(WIDTH, HEIGHT)
    frame.fill(luma, 128, 128)
    return frame


def textured(seed: int) -> Frame:
    frame = Frame(WIDTH, HEIGHT)
    frame.data[:] = np.random.default_rng(seed).integers(40, 210, frame.data.size)
    return frame


def at(name: str, share: float, below: Frame | None = None, above: Frame | None = None) -> Frame:
    out = Frame(WIDTH, HEIGHT)
    mix(name, below or flat(OLD), above or flat(NEW), share, out)
    return out


def newness(frame: Frame) -> np.ndarray:
    """0 where the old picture is seen, 1 where the new one is."""
    return (frame.y.astype(float) - OLD) / (NEW - OLD)


def test_every_word_for_a_transition_is_known() -> None:
    assert set(TRANSITIONS) == set(get_args(TransitionName))
    words = set(get_args(Transition.model_fields["kind"].annotation))
    assert words == set(TRANSITIONS) | set(SYNONYMS)
    assert set(SYNONYMS.values()) <= set(TRANSITIONS)


@pytest.mark.parametrize("name", NAMES)
def test_it_leads_from_the_old_picture_to_the_new_one(name: str) -> None:
    old, new = textured(1), textured(2)
    first, last = (at(name, share, old, new) for share in (0.002, 0.998))
    far = float(np.abs(old.y.astype(int) - new.y).mean())
    for seen, wanted in ((first, old), (last, new)):
        assert float(np.abs(seen.y.astype(int) - wanted.y).mean()) < 0.05 * far
        assert float(np.abs(seen.u.astype(int) - wanted.u).mean()) < 0.05 * far


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("fade")])
def test_the_new_picture_never_steps_back(name: str) -> None:
    shares = np.linspace(0.02, 0.98, 25)
    amounts = [float(newness(at(name, float(share))).mean()) for share in shares]
    # What slides darkens the old picture at first.
    assert np.diff(amounts).min() > -0.03
    assert amounts[-1] - amounts[0] > 0.9


@pytest.mark.parametrize(
    ("name", "new_place", "old_place"),
    [
        ("wipe_left", (0.5, 0.95), (0.5, 0.05)),
        ("wipe_right", (0.5, 0.05), (0.5, 0.95)),
        ("wipe_up", (0.95, 0.5), (0.05, 0.5)),
        ("wipe_down", (0.05, 0.5), (0.95, 0.5)),
        ("slide_left", (0.5, 0.95), (0.5, 0.05)),
        ("slide_right", (0.5, 0.05), (0.5, 0.95)),
        ("slide_up", (0.95, 0.5), (0.05, 0.5)),
        ("slide_down", (0.05, 0.5), (0.95, 0.5)),
        ("push_left", (0.5, 0.95), (0.5, 0.05)),
        ("push_right", (0.5, 0.05), (0.5, 0.95)),
        ("push_up", (0.95, 0.5), (0.05, 0.5)),
        ("push_down", (0.05, 0.5), (0.95, 0.5)),
        ("whip_left", (0.5, 0.97), (0.5, 0.03)),
        ("whip_right", (0.5, 0.03), (0.5, 0.97)),
        ("slide", (0.5, 0.95), (0.5, 0.05)),
        ("wipe", (0.5, 0.05), (0.5, 0.95)),
        ("diagonal", (0.1, 0.1), (0.9, 0.9)),
        ("clock", (0.3, 0.9), (0.3, 0.1)),
        ("circle_open", (0.5, 0.5), (0.03, 0.03)),
        ("circle_close", (0.03, 0.03), (0.5, 0.5)),
        ("blinds", (0.005, 0.5), (0.105, 0.5)),
    ],
)
def test_half_way_the_new_picture_is_where_the_name_says(name: str, new_place: Any, old_place: Any) -> None:
    seen = newness(at(name, 0.5))
    new, old = (seen[int(row * HEIGHT), int(column * WIDTH)] for row, column in (new_place, old_place))
    assert new > 0.6
    assert old < 0.4


@pytest.mark.parametrize(("name", "luma"), [("fade", 16), ("fade_white", 235)])
def test_a_fade_goes_through_a_field_of_one_light(name: str, luma: int) -> None:
    assert np.abs(at(name, 0.5).y.astype(int) - luma).max() <= 1
    assert np.abs(at(name, 0.5, textured(1), textured(2)).u.astype(int) - 128).max() <= 1


def test_a_push_moves_both_pictures_and_a_slide_only_the_new_one() -> None:
    old, new = textured(1), textured(2)
    pushed, slid = at("push_left", 0.5, old, new), at("slide_left", 0.5, old, new)
    half = WIDTH // 2
    assert np.array_equal(pushed.y[:, :half], old.y[:, half:])
    assert np.array_equal(pushed.y[:, half:], new.y[:, :half])
    assert np.corrcoef(slid.y[:, :half].ravel(), old.y[:, :half].ravel())[0, 1] > 0.99
    assert np.array_equal(slid.y[:, half:], new.y[:, :half])


def test_what_is_dark_melts_first() -> None:
    old = flat(40)
    old.y[:, WIDTH // 2 :] = 200
    seen = at("melt", 0.45, old, flat(120)).y
    assert abs(int(seen[96, 10]) - 120) < 20
    assert abs(int(seen[96, -10]) - 200) < 20


def test_a_blur_is_least_sharp_half_way() -> None:
    sharpness = [float(at("blur", share, textured(1), textured(2)).y.std()) for share in (0.05, 0.5, 0.95)]
    assert sharpness[1] < 0.3 * min(sharpness[0], sharpness[2])


def test_a_whip_smears_across_and_not_down() -> None:
    seen = at("whip_left", 0.5, textured(1), textured(2)).y.astype(float)
    assert np.abs(np.diff(seen, axis=1)).mean() < 0.2 * np.abs(np.diff(seen, axis=0)).mean()


@pytest.mark.parametrize(("name", "leaving", "coming"), [("zoom_in", 1, -1), ("zoom_out", -1, 1), ("dissolve", 0, 0)])
def test_zooms_come_closer_or_go_away(name: str, leaving: int, coming: int) -> None:
    assert closeness(name, 0)[0] == closeness(name, 1)[1] == 1
    late, early = closeness(name, 0.9)[0], closeness(name, 0.1)[1]
    assert (np.sign(late - 1), np.sign(early - 1)) == (leaving, coming)


@pytest.mark.parametrize(("word", "name"), SYNONYMS.items())
def test_a_synonym_is_its_longer_name(word: str, name: str) -> None:
    assert np.array_equal(at(word, 0.3, textured(1), textured(2)).data, at(name, 0.3, textured(1), textured(2)).data)
    assert closeness(word, 0.3) == closeness(name, 0.3)


def test_the_planes_stay_together_in_what_moves() -> None:
    """A picture whose colour follows its light is still so after a move."""

    def striped() -> Frame:
        frame = Frame(WIDTH, HEIGHT)
        frame.y[:, 30:60] = 200
        frame.u[:, 15:30] = 200
        return frame

    for name in ("push_left", "push_right", "slide_left"):
        for share in (0.21, 0.5, 0.77):
            seen = at(name, share, striped(), striped())
            wide = np.repeat(np.repeat(seen.u, 2, axis=0), 2, axis=1)
            assert np.array_equal(wide > 100, seen.y > 100)
