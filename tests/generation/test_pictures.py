"""Pictures are bright, different from one another, and the same for the same seed."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from fenta.generation.engines import pictures
from fenta.generation.engines.pictures import PAINTERS, paint
from fenta.generation.engines.pictures.choosing import COMPOSITIONS, scores
from fenta.generation.engines.storyboard import draw
from fenta.generation.engines.writer import write
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.requests import ImageRequest, ScriptRequest
from tests.support.pictures import blurred, grey, similarity


def test_the_scenes_of_a_video_differ_pairwise_whatever_it_is_about() -> None:
    for topic in ("Why the night sky is dark", "Zzz"):
        board = draw(write(ScriptRequest(topic=topic, duration_seconds=40)), "", "9:16")
        scenes = [grey(paint(shot.prompt, 270, 480, number)) for number, shot in enumerate(board.shots)]
        assert len(scenes) > 4
        assert max(similarity(one, other) for one, other in itertools.combinations(scenes, 2)) < 0.7


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_every_composition_is_bright_and_has_no_black_holes(name: str) -> None:
    for seed in range(3):
        picture = paint(COMPOSITIONS[name].phrase, 180, 320, seed)
        plane = grey(picture)
        assert plane.mean() >= 40
        assert (blurred(plane) < 6).mean() < 0.02
        assert plane.std() > 10


def test_two_seeds_of_one_prompt_differ_and_a_seed_is_for_ever() -> None:
    first, again, second = (paint("stars at night", 270, 480, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert similarity(grey(first), grey(second)) < 0.7


@pytest.mark.parametrize("size", [(16, 16), (512, 64), (64, 512), (333, 257)])
def test_odd_sizes_are_painted_too(size: tuple[int, int]) -> None:
    for name in PAINTERS:
        assert paint(COMPOSITIONS[name].phrase, *size, 3).shape == (size[1], size[0], 3)


def test_words_of_several_languages_choose_the_composition() -> None:
    for prompt, name in (
        ("distant galaxies", "galaxy"),
        ("eine Wüste aus Sand", "dunes"),
        ("la forêt et ses arbres", "forest"),
        ("il mare", "ocean"),
        ("سماء الليل", "night_sky"),
    ):
        ranked = scores(prompt)
        assert max(ranked, key=lambda each: ranked[each]) == name


def test_variations_are_files_of_their_own(tmp_path: Path) -> None:
    product = pictures.make(ImageRequest(prompt="stars", width=64, height=96, count=3, seed=5), tmp_path)
    assert len({(tmp_path / file.name).read_bytes() for file in product.files}) == 3


def test_a_prompt_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        pictures.make(ImageRequest(prompt="<b>\x00</b>", width=64, height=64), tmp_path)
