"""Emoji are one character each, drawn in colour at their place in the line, and never a box."""

from pathlib import Path

import numpy as np
import pytest

from fenta.contracts.timeline import OverlayClip
from fenta.render.captions import emoji, fonts
from fenta.render.captions.burn import cautions
from fenta.render.captions.glyphs import drawable, drawing, without_emoji
from fenta.render.captions.looks import LOOKS
from tests.render.test_burn import CANVAS, drawn, film, text_box

FIRE = (0xF4, 0x90, 0x0C)


ONE_EACH = [
    "🚀",
    "👍🏽",
    "👨\u200d👩\u200d👧",
    "👩🏽\u200d🚀",
    "🏳️\u200d🌈",
    "🇫🇷",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣",
    "#️⃣",
    "❤️",
    "❤",
    "⌚",
    "©️",
    "👩\u200d❤️\u200d💋\u200d👨",
    "🧑🏻\u200d🤝\u200d🧑🏿",
]


@pytest.mark.parametrize("typed", ONE_EACH)
def test_an_emoji_is_one_character_however_it_is_typed(typed: str) -> None:
    found = drawing(typed)
    assert len(found.text) == 1
    assert emoji.is_emoji(found.text)
    assert not found.lost
    assert emoji.written(found.text).replace(emoji.AS_EMOJI, "") == typed.replace(emoji.AS_EMOJI, "")


@pytest.mark.parametrize("typed", ["1", "#", "©", "™", "★", "→", "☺\ufe0e", "A", "é"])
def test_a_sign_that_fonts_have_stays_one(typed: str) -> None:
    assert not any(map(emoji.is_emoji, drawable(typed))) or not fonts.draws(typed[0])


@pytest.mark.parametrize(("typed", "count"), [("👍🏽👍", 2), ("🇫🇷🇩🇪", 2), ("🔥🔥🔥", 3), ("🧑‍🚀‍🔥", 2), ("🔥🏽", 1)])
def test_neighbours_are_told_apart_and_unknown_sequences_fall_into_their_parts(typed: str, count: int) -> None:
    assert len(drawable(typed)) == count


def test_every_emoji_of_the_font_has_shapes_within_its_square() -> None:
    assert len(emoji.characters()) > 3600
    for character in emoji.characters()[::40]:
        assert emoji.shapes(character)
        points = [point for shape in emoji.shapes(character) for _, points in shape.path for point in points]
        assert all(-0.1 < x < 1.1 and -0.1 < y < 1.1 for x, y in points)


WITHOUT = {
    "Great 🚀 news 🎉!": "Great news !",
    "a 👨‍👩‍👧 here": "a here",
    "Step 1️⃣: go": "Step 1: go",
    "🔥": "",
    "© ★": "© ★",
}


@pytest.mark.parametrize(("typed", "left"), WITHOUT.items())
def test_a_text_can_do_without_emoji(typed: str, left: str) -> None:
    assert without_emoji(typed) == left


def coloured(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(frame.astype(int) - colour) < 32).all(axis=2)


def columns(mask: np.ndarray) -> tuple[int, int]:
    found = np.flatnonzero(mask.any(axis=0))
    assert len(found)
    return int(found[0]), int(found[-1])


def test_an_emoji_stands_in_colour_between_its_words(tmp_path: Path) -> None:
    frame = drawn(film(["Go", "up"], text="Go 🔥 up", accent="#0000FF"), tmp_path)[0]
    lit = (frame[:, :, 2] > 180) & (frame[:, :, 0] < 90) & (frame[:, :, 1] < 90)
    fire, (left, _, right, _) = columns(coloured(frame, FIRE)), text_box(frame)
    assert left <= columns(lit)[1] < fire[0] < fire[1] < right - 40


def test_parts_of_an_emoji_lie_exactly_upon_one_another(tmp_path: Path) -> None:
    """The red half of a compass' needle, its sixth layer, begins where it should within the rim, its first."""
    frame = drawn(film(["🧭"], style="word"), tmp_path)[0]
    (left, right), (red, _) = (columns(coloured(frame, colour)) for colour in (FIRE, (0xDD, 0x2E, 0x44)))
    assert abs(left + 0.28 * (right - left) - red) <= 2.5


def test_the_words_around_an_emoji_keep_their_line(tmp_path: Path) -> None:
    with_one, without = (
        drawn(film(["Go"], text=text, style="plain", colour="#0000FF"), tmp_path)[0] for text in ("Go 🔥", "Go")
    )
    rows = [np.flatnonzero(((f[:, :, 2] > 180) & (f[:, :, 0] < 90)).any(axis=1)) for f in (with_one, without)]
    assert (rows[0][0], rows[0][-1]) == (rows[1][0], rows[1][-1])


def test_emoji_stand_in_reading_order_where_it_runs_from_right_to_left(tmp_path: Path) -> None:
    frame = drawn(film(["عمر", "NASA"], text="عمر 🔥 NASA", language="ar", style="plain"), tmp_path)[0]
    left, _, right, _ = text_box(frame)
    fire = columns(coloured(frame, FIRE))
    assert left + 40 < fire[0] < fire[1] < right - 40


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_shows_emoji_in_their_own_colours(tmp_path: Path, look: str) -> None:
    frames = drawn(film(["Hot", "🔥"], style=look), tmp_path)
    assert coloured(frames[1], FIRE).sum() > 60
    if look in {"typewriter", "bounce", "word"}:
        assert coloured(frames[0], FIRE).sum() == 0


def test_an_emoji_moves_with_its_line(tmp_path: Path) -> None:
    """One word at a time jumps in: it grows beyond its size, and settles."""
    boxes = map(text_box, drawn(film(["🔥"], style="word"), tmp_path, frames=(2, 20)))
    highest, settled = (right - left for left, _, right, _ in boxes)
    assert highest > 1.03 * settled


def test_emoji_are_left_out_on_request(tmp_path: Path) -> None:
    asked = drawn(film(["Go", "up"], text="Go 🚀 up", emoji="none"), tmp_path)
    without = drawn(film(["Go", "up"]), tmp_path)
    assert np.array_equal(asked, without)


def test_titles_show_emoji_too(tmp_path: Path) -> None:
    title = OverlayClip(id="t", start_ms=0, duration_ms=1000, text="Hot 🔥 news", box=(0.08, 0.11, 0.84, 0.26))
    frame = drawn(film([], overlays=(title,)), tmp_path)[0]
    assert coloured(frame[: CANVAS.height // 2], FIRE).sum() > 60


def test_what_is_not_drawn_as_it_was_written_is_told() -> None:
    found = cautions(film(["\U0001d4d7i", "✓"], text="\U0001d4d7i ✓ ሰ 们", language="ja"))
    assert {one.code: one.message for one in found} == {
        "glyph_replaced": "No font here has these characters: ✓ is drawn as ✔, \U0001d4d7 is drawn as H.",
        "glyph_left_out": "No font here can draw these characters, so they are left out: ሰ",
        "font_replaced": "The font for ja has not all characters; Chinese shapes are used for: 们",
    }
    assert cautions(film(["Why", "🔥", "夜"], language="ja")) == []
    assert drawable("\U0001d4d7i ✓ ሰ!") == f"Hi {drawable('✔')} !"
