"""The sheets show what they say: all words of a family, each looking like no other."""

from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from fenta.contracts.templates import SHIPPED
from fenta.contracts.timeline import AnimationName, Aspect, Blend, Camera, OverlayStyle, Property, TransitionName
from tools.gallery import scenes, sheets

ROOT = Path(__file__).parents[2]
WORDS = {
    "camera-moves": get_args(Camera),
    "transitions": get_args(TransitionName),
    "blend-modes": get_args(Blend),
    "keyframes": get_args(Property),
    "aspects": get_args(Aspect),
    "animations": get_args(AnimationName),
    "overlays": get_args(OverlayStyle),
    "templates": SHIPPED,
}
# A step that is seen at once; of so many pixels at least.
STEP, SHARE = 8, 0.02


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> scenes.Studio:
    return scenes.Studio(tmp_path_factory.mktemp("gallery"))


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The share of pixels that differ."""
    far: Any = cv2.absdiff(np.concatenate(one), np.concatenate(other))
    return float((far.max(axis=2) > STEP).mean())


def _shape(pictures: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Other shapes look different anyway."""
    return [picture.shape for picture in pictures]


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_any_two_of_a_kind_differ(studio: scenes.Studio, family: str) -> None:
    cells = scenes.FAMILIES[family](studio)
    assert set(cells) >= set(WORDS.get(family, ()))
    alike = {
        (one, other): share
        for one, other in combinations(cells, 2)
        if _shape(cells[one]) == _shape(cells[other]) and (share := difference(cells[one], cells[other])) <= SHARE
    }
    assert alike == {}


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_a_sheet_is_there_small_and_judged(family: str) -> None:
    path = ROOT / f"docs/gallery/{family}.jpg"
    assert 10_000 < path.stat().st_size < 300_000
    assert f"| [{family}]({family}.jpg) |" in (ROOT / "docs/gallery/notes.md").read_text()


def test_a_sheet_is_the_same_each_time(tmp_path: Path, studio: scenes.Studio) -> None:
    cells = {
        "one": studio.frames([[studio.clip("dunes")]], [0]),
        "other": studio.frames([[studio.clip("city")]], [0]),
    }
    for name in ("first.jpg", "second.jpg"):
        sheets.write(cells, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("first.jpg", "second.jpg"))
    assert first == second
    picture: Any = cv2.imread(str(tmp_path / "first.jpg"))
    # The words stand below the pictures.
    assert picture[180:200, 12:60].max() > 180
