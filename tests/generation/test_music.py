"""Music has the length that was asked for, loops without a seam, and follows style and seed."""

import wave
from pathlib import Path

import numpy as np
import pytest

from fenta.generation.engines import music
from fenta.generation.engines.music.moods import MOODS, mood_named
from fenta.generation.providers.requests import MusicRequest


@pytest.mark.parametrize("style", sorted(MOODS))
def test_every_style_is_as_long_as_asked_and_pleasantly_loud(style: str) -> None:
    piece, tempo = music.compose(style, 7.3, seed=1)
    assert piece.shape == (round(7.3 * 48_000), 2)
    assert 45 < tempo < 160
    level = 20 * np.log10(np.sqrt((piece**2).mean()))
    assert -21 < level < -17
    assert np.abs(piece).max() < 0.99
    assert not np.array_equal(piece[:, 0], piece[:, 1])


@pytest.mark.parametrize("style", ["ambient", "upbeat"])
def test_the_end_joins_the_beginning_without_a_seam(style: str) -> None:
    piece, _ = music.compose(style, 8, seed=2)
    looped = np.concatenate([piece[-480:], piece[:480]])
    steps = np.abs(np.diff(looped, axis=0))
    usual = np.abs(np.diff(piece, axis=0)).max()
    assert steps[479].max() <= usual * 0.5


def test_a_seed_is_for_ever_and_another_one_is_another_piece() -> None:
    first, again, second = (music.compose("upbeat", 5, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_the_file_is_stereo_at_48_kilohertz(tmp_path: Path) -> None:
    product = music.make(MusicRequest(style="", prompt="a serious story", seconds=5), tmp_path)
    assert product.document is not None
    assert product.document["mood"] == "dramatic"
    with wave.open(str(tmp_path / "music.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 48_000, 240_000)


def test_a_style_is_taken_at_its_word_and_others_are_guessed() -> None:
    assert mood_named("upbeat", "sad") == "upbeat"
    assert mood_named("", "a calm night") == "ambient"
    assert mood_named("", "") == "ambient"
