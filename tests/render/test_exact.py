"""Time is exact: ten minutes end where they should, and a clap is heard with the picture it belongs to."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from fenta.contracts.timeline import (
    AssetSource,
    AudioClip,
    AudioTrack,
    Canvas,
    ColourSource,
    Loudness,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render.audio.samples import RATE
from fenta.render.engine import render
from fenta.render.inspection import inspect
from tests.render.media import Shelf, heard
from tests.render.test_sound import recorded

SMALLEST = Canvas(aspect="1:1", width=24, height=24)
MINUTES = 10
SCENE_MS = 10_000
SCENES = MINUTES * 60_000 // SCENE_MS
COLOURS = ("#808080", "#E0E0E0")


@pytest.fixture
def claps(shelf: Shelf) -> Timeline:
    """A scene every ten seconds, with a clap at its beginning. Its cuts fall between frames at 24 a second."""
    noise = np.random.default_rng(1).normal(0, 0.3, RATE // 20) * np.linspace(1, 0, RATE // 20)
    recorded(shelf.folder / "clap.wav", noise)
    media = shelf.keep("clap.wav")
    clap = AssetSource(asset_id=media.asset_id, sha256=media.sha256, media="audio")
    starts = [number * SCENE_MS + (number > 0) * 7 for number in range(SCENES)]
    ends = [*starts[1:], SCENES * SCENE_MS]
    clips = [
        VideoClip(
            id=f"c{number}",
            start_ms=start,
            duration_ms=end - start,
            source=ColourSource(colour=COLOURS[number % 2]),
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    sounds = [AudioClip(id=f"a{start}", start_ms=start, duration_ms=50, source=clap) for start in starts]
    return Timeline(
        fps=24,
        duration_ms=SCENES * SCENE_MS,
        canvases=[SMALLEST],
        loudness=Loudness(lufs=-30),
        tracks=[VideoTrack(id="v", clips=clips), AudioTrack(id="a", role="effects", clips=sounds)],
    )


async def test_ten_minutes_end_on_their_frame_and_claps_stay_with_their_pictures(
    claps: Timeline, shelf: Shelf, tmp_path: Path
) -> None:
    rendered = await render(claps, sources=shelf.files, canvases=[SMALLEST], folder=tmp_path / "out")
    film = rendered.films[0].video
    facts = inspect(film)
    assert facts.frames == MINUTES * 60 * 24
    assert abs(facts.duration_ms - claps.duration_ms) <= 1000 / 24
    seen, clapped = changes(film), onsets(heard(film)[:, 0])
    assert len(seen) == SCENES - 1
    apart = [abs(clap - picture) for clap, picture in zip(clapped[1:], seen, strict=True)]
    # Half a frame is what 24 pictures a second can be off; nothing comes on top, not even after ten minutes.
    assert max(apart) <= 1 / 48 + 0.001
    assert abs(apart[-1] - apart[0]) <= 1 / 24


def changes(film: Path) -> list[float]:
    """The seconds at which another scene begins."""
    with av.open(str(film)) as container:
        frames = [(float(frame.time), frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    return [now for (_, before), (now, after) in itertools.pairwise(frames) if abs(after - before) > 30]


def onsets(samples: np.ndarray) -> list[float]:
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    firsts = loud[np.concatenate([[True], np.diff(loud) > RATE])]
    return [float(first) / RATE for first in firsts]
