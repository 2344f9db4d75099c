"""Moves, transitions, blend modes, keys, keyframes and colour tables reach the finished film, through the engine."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import AssetSource, Canvas, ColourSource, Timeline, VideoClip, VideoTrack
from fenta.render.compose.composer import Composer
from fenta.render.engine import render
from fenta.render.errors import TimelineRefused
from fenta.render.timeline import frame_plan
from tests.render.media import Shelf
from tests.render.test_effects import cube

TINY = Canvas(aspect="9:16", width=108, height=192)
RED, GREEN, BLUE, WHITE = "#D03020", "#00B140", "#2040C0", "#FFFFFF"
# Blue, green and red of the same colours.
SEEN = {RED: (32, 48, 208), GREEN: (64, 177, 0), BLUE: (192, 64, 32), WHITE: (255, 255, 255)}


@dataclass
class Cast:
    """The files of the film."""

    shelf: Shelf

    def image(self, name: str, picture: np.ndarray) -> AssetSource:
        cv2.imwrite(str(self.shelf.folder / name), picture)
        return self._source(name, "image")

    def look(self) -> AssetSource:
        cube(self.shelf.folder / "inverted.cube", lambda rgb: 1 - rgb)
        return self._source("inverted.cube", "lut")

    def _source(self, name: str, media: Any) -> AssetSource:
        kept = self.shelf.keep(name)
        return AssetSource(asset_id=kept.asset_id, sha256=kept.sha256, media=media)


def clip(name: str, start: int, source: Any, **given: Any) -> VideoClip:
    found = ColourSource(colour=source) if isinstance(source, str) else source
    return VideoClip(id=name, start_ms=start, duration_ms=500, source=found, **given)


def framed(inner: str, outer: str) -> np.ndarray:
    picture = np.full((192, 108, 3), SEEN[outer], np.uint8)
    picture[64:128, 36:72] = SEEN[inner]
    return picture


def document(cast: Cast) -> Timeline:
    """Half a second each: a camera that pushes, a circle that opens, a product, a key, a moving window, a table."""
    grid = np.full((384, 216, 3), 40, np.uint8)
    grid[::24], grid[:, ::24] = 220, 220
    below = [
        clip("push", 0, cast.image("grid.png", grid), motion={"kind": "push_in", "easing": "linear", "strength": 2}),
        clip("circle", 500, BLUE, transition={"kind": "circle_open", "duration_ms": 500}),
        clip("product", 1000, WHITE, effects=[{"kind": "adjust", "brightness": -0.5}]),
        clip("keyed", 1500, BLUE),
        clip("window", 2000, WHITE),
        clip(
            "table", 2500, cast.image("flag.png", framed(WHITE, RED)), effects=[{"kind": "lut", "source": cast.look()}]
        ),
    ]
    points = [{"at_ms": 0, "value": 0.25, "easing": "linear"}, {"at_ms": 500, "value": 0.75}]
    above = [
        clip("multiplied", 1000, RED, blend="multiply"),
        clip("screen", 1500, cast.image("screen.png", framed(RED, GREEN)), effects=[{"kind": "chroma_key"}]),
        clip("square", 2000, RED, scale=0.4, keyframes={"x": points}),
    ]
    tracks: list[Any] = [VideoTrack(id="v1", clips=below), VideoTrack(id="v2", clips=above)]
    return Timeline(duration_ms=3000, canvases=[TINY], tracks=tracks)


@dataclass
class Shown:
    timeline: Timeline
    frames: list[np.ndarray]
    video: bytes
    shelf: Shelf

    def colour(self, number: int, x: float, y: float) -> tuple[int, ...]:
        """Blue, green and red around a place given in shares of the canvas."""
        row, column = round(y * 192), round(x * 108)
        part = self.frames[number][row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
        return tuple(round(float(value)) for value in np.median(part, axis=0))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("looks")
    shelf = Shelf(folder)
    made = document(Cast(shelf))
    work = render(made, sources=shelf.files, canvases=[TINY], folder=folder / "out", workers=2)
    video = asyncio.run(work).films[0].video
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return Shown(made, frames, video.read_bytes(), shelf)


def near(seen: tuple[int, ...], wanted: tuple[float, ...], by: int = 14) -> bool:
    return max(abs(one - other) for one, other in zip(seen, wanted, strict=True)) <= by


def spacing(frame: np.ndarray) -> float:
    """Of the grid's upright lines, in pixels."""
    line = frame[:, :, 1].astype(float).mean(axis=0)
    peaks = [at for at in range(2, 106) if line[at] == line[at - 2 : at + 3].max() and line[at] > line.mean() + 20]
    return float(np.mean(np.diff(peaks)))


def test_a_camera_move_reaches_the_film(shown: Shown) -> None:
    assert spacing(shown.frames[14]) > 1.1 * spacing(shown.frames[0])


def test_a_transition_reaches_the_film(shown: Shown) -> None:
    half_way = 15 + 4
    assert near(shown.colour(half_way, 0.5, 0.5), SEEN[BLUE])
    assert not near(shown.colour(half_way, 0.06, 0.06), SEEN[BLUE], 40)


def test_a_blend_mode_reaches_the_film(shown: Shown) -> None:
    """White, darkened by a quarter of the range, times red."""
    seen = shown.colour(35, 0.5, 0.5)
    assert near(seen, tuple(0.75 * value for value in SEEN[RED]))


def test_a_key_reaches_the_film(shown: Shown) -> None:
    assert near(shown.colour(50, 0.1, 0.1), SEEN[BLUE])
    assert near(shown.colour(50, 0.5, 0.5), SEEN[RED])


def test_keyframes_reach_the_film(shown: Shown) -> None:
    places = []
    for number in (60, 67, 74):
        columns = np.flatnonzero(shown.frames[number][96, :, 0] < 128)
        places.append(float(columns.mean()) + 0.5)
    wanted = [108 * (0.25 + 0.5 * (number - 60) / 15) for number in (60, 67, 74)]
    assert places == pytest.approx(wanted, abs=1.5)
    assert near(shown.colour(67, 0.95, 0.1), SEEN[WHITE])


def test_a_colour_table_reaches_the_film(shown: Shown) -> None:
    assert near(shown.colour(82, 0.5, 0.5), (0, 0, 0))
    assert near(shown.colour(82, 0.1, 0.1), tuple(255 - value for value in SEEN[RED]), 20)


def test_any_cut_of_it_shows_the_frames_of_the_whole(shown: Shown, tmp_path: Path) -> None:
    plan = frame_plan(shown.timeline, TINY)

    def frames(first: int, last: int) -> list[bytes]:
        return [frame.data.tobytes() for frame in Composer(plan, shown.shelf.files, tmp_path).frames(first, last)]

    whole = frames(0, plan.frames)
    for cut in (7, 17, 33, 64):
        assert frames(cut, cut + 12) == whole[cut : cut + 12]


async def test_the_same_document_gives_the_same_bytes(shown: Shown, tmp_path: Path) -> None:
    again = await render(shown.timeline, sources=shown.shelf.files, canvases=[TINY], folder=tmp_path, workers=1)
    assert again.films[0].video.read_bytes() == shown.video


async def test_looks_that_cannot_be_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    points = [{"at_ms": 100, "value": 1.0}, {"at_ms": 100, "value": 0.0}]
    below = clip("below", 0, RED, blend="screen", keyframes={"opacity": points})
    above = clip("above", 0, RED, transition={"kind": "dissolve"})
    tracks: list[Any] = [VideoTrack(id="v1", clips=[below]), VideoTrack(id="v2", clips=[above])]
    with pytest.raises(TimelineRefused) as refused:
        await render(
            Timeline(duration_ms=500, canvases=[TINY], tracks=tracks),
            sources={},
            canvases=[TINY],
            folder=tmp_path / "out",
        )
    codes = {fault.code for fault in refused.value.faults}
    assert codes == {"keyframes_unordered", "blend_below", "transition_above"}
