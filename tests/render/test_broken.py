"""Planted broken renders: each is refused with its own code, and nobody gets to see its files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from fenta.contracts.timeline import Motion, Timeline
from fenta.render import encode
from fenta.render.checks import FileFacts, Heard, Seen, check
from fenta.render.compose.composer import Composer
from fenta.render.engine import render
from fenta.render.errors import CheckFailed
from fenta.render.inspection import inspect
from fenta.render.timeline import frame_plan
from tests.render.conftest import Film
from tests.render.media import SMALL, Shelf, timeline


def with_clips(document: Timeline, kind: str, change: Callable[[Any], Any]) -> Timeline:
    tracks = [
        track.model_copy(update={"clips": [change(clip) for clip in track.clips]}) if track.kind == kind else track
        for track in document.tracks
    ]
    return document.model_copy(update={"tracks": tracks})


def black(shelf: Shelf) -> Timeline:
    texts = ("The night is dark.", "Light needs time.")
    return timeline(shelf, texts, visuals={"s1": shelf.picture(1), "s2": shelf.picture(2, brightness=0.01)})


def frozen(shelf: Shelf) -> Timeline:
    """A camera that should move and does not."""
    stuck = Motion(**{"from": 1.1, "to": 1.1})
    return with_clips(timeline(shelf), "video", lambda clip: clip.model_copy(update={"motion": stuck}))


def silent(shelf: Shelf) -> Timeline:
    texts = ("The night is dark.", "Light needs time.")
    speech = {"s1": shelf.speech(texts[0]), "s2": shelf.speech(texts[1], level=0.0)}
    return timeline(shelf, texts, speech=speech, music=shelf.music())


def without_captions(shelf: Shelf) -> Timeline:
    """One spoken scene has none."""
    document = timeline(shelf)
    tracks = [
        track.model_copy(update={"clips": [clip for clip in track.clips if clip.scene != "s2"]})
        if track.kind == "caption"
        else track
        for track in document.tracks
    ]
    return document.model_copy(update={"tracks": tracks})


@pytest.mark.parametrize(
    ("plant", "code"),
    [(black, "black"), (frozen, "frozen"), (silent, "silent"), (without_captions, "captions_missing")],
)
async def test_a_film_with_a_fault_in_it_is_refused(
    shelf: Shelf, tmp_path: Path, plant: Callable[[Shelf], Timeline], code: str
) -> None:
    folder = tmp_path / "out"
    with pytest.raises(CheckFailed) as caught:
        await render(plant(shelf), sources=shelf.files, canvases=[SMALL], folder=folder)
    assert [fault.code for fault in caught.value.faults] == [code]
    seen = [sight.picture for sight in caught.value.sights]
    assert list(folder.iterdir()) == seen
    assert [sight.code for sight in caught.value.sights] == ([code] if code in {"black", "frozen"} else [])
    for sight in caught.value.sights:
        picture = cv2.imread(str(sight.picture))
        assert picture.shape == (SMALL.height, SMALL.width, 3)
        assert (picture.mean() < 20) == (code == "black")


GOOD = Heard(-14.0, 0, ())


def seen(film: Film, **changes: Any) -> Seen:
    frames = film.frames
    probes = dict.fromkeys(range(0, frames, 60), True)
    return replace(Seen([100.0] * frames, [1.0] * frames, probes), **changes)


def codes(film: Film, facts: FileFacts, what: Seen | None = None, heard: Heard = GOOD) -> list[str]:
    plan = frame_plan(film.timeline, SMALL)
    return [fault.code for fault in check(plan, facts, what or seen(film), heard).faults]


def test_a_good_film_has_no_faults(film: Film) -> None:
    assert codes(film, inspect(film.video)) == []


def test_a_short_file_is_refused(film: Film, tmp_path: Path) -> None:
    """The last segment was lost in the join."""
    from fenta.render import programs

    command = ["-v", "error", "-y", "-i", str(film.video), "-t", "3", "-c", "copy", "short.mp4"]
    programs.run(command, folder=tmp_path)
    assert set(codes(film, inspect(tmp_path / "short.mp4"))) == {"duration_wrong", "frames_missing"}


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        (["-vf", "scale=180:320"], "size_wrong"),
        (["-vf", "setparams=color_primaries=bt470bg"], "colour_wrong"),
        (["-profile:v", "baseline"], "codec_wrong"),
        (["-an"], "stream_missing"),
        (["-ar", "44100"], "stream_missing"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused(film: Film, tmp_path: Path, filters: list[str], code: str) -> None:
    from fenta.render import programs

    options = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-c:a", "aac"]
    command = ["-v", "error", "-y", "-i", str(film.video), *options, *filters, "wrong.mp4"]
    programs.run(command, folder=tmp_path)
    found = codes(film, inspect(tmp_path / "wrong.mp4"))
    assert code in found
    assert set(found) <= {code, "codec_wrong"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size_bytes": 100}, "file_size_wrong"),
        ({"size_bytes": 1 << 30}, "file_size_wrong"),
        ({"streams": ("video", "audio", "data")}, "streams_wrong"),
        ({"streams": ("video", "video", "audio")}, "streams_wrong"),
    ],
)
def test_a_file_of_another_size_or_with_more_in_it_is_refused(film: Film, change: dict[str, Any], code: str) -> None:
    assert codes(film, replace(inspect(film.video), **change)) == [code]


def test_a_fault_that_can_be_seen_says_in_which_frame(film: Film) -> None:
    plan, facts = frame_plan(film.timeline, SMALL), inspect(film.video)
    dark = seen(film, luma=[100.0] * 20 + [5.0] * 30 + [100.0] * (film.frames - 50))
    blind = seen(film, captioned={30: True, 90: False, 150: False})
    assert [fault.frame for fault in check(plan, facts, dark, GOOD).faults] == [35]
    assert [fault.frame for fault in check(plan, facts, blind, GOOD).faults] == [90]


def test_a_freeze_goes_on_over_the_border_of_a_segment(film: Film) -> None:
    """Of a segment's first frame nobody knows whether it differs from the one before."""
    facts, moving = inspect(film.video), [1.0] * (film.frames - 40)
    still: list[float | None] = [0.0] * 20
    assert codes(film, facts, seen(film, change=[None, *moving, *still[1:], None, *still[1:]])) == ["frozen"]
    assert codes(film, facts, seen(film, change=[None, *moving, *still[1:], None, *still[1:-10], *[1.0] * 10])) == []


def test_captions_that_the_encoder_did_not_draw_are_noticed(film: Film) -> None:
    facts = inspect(film.video)
    assert codes(film, facts, seen(film, captioned={30: True, 90: False})) == ["captions_missing"]
    assert codes(film, facts, seen(film, captioned={})) == ["captions_missing"]


async def test_text_that_cannot_be_seen_in_the_encoded_frames_is_found_by_the_probes(
    film: Film, tmp_path: Path
) -> None:
    """The caption file is lost between the composer and the encoder."""
    from fenta.render.captions.burn import Burn, burn, install_fonts

    class Lost(Burn):
        def document(self, first: int = 0, last: int | None = None) -> str:
            return replace(burn(self.plan), events=()).document(first, last)

    install_fonts(tmp_path)
    plan = frame_plan(film.timeline, SMALL)
    whole = burn(plan)
    composer = Composer(plan, film.shelf.files, tmp_path)
    for text, visible in ((whole, True), (Lost(plan, whole.styles, whole.events), False)):
        segment = encode.encode_segment(text, composer, tmp_path, (0, 60), lambda frames: None)
        assert segment.captioned
        assert set(segment.captioned.values()) == {visible}


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (Heard(-14.2, 0, ()), []),
        (Heard(-19.0, 0, ()), ["loudness_wrong"]),
        (Heard(-14.0, 2500, ()), ["silent"]),
        (Heard(-14.0, 0, ("voice_s1",)), ["silent"]),
    ],
)
def test_sound_is_judged(film: Film, heard: Heard, expected: list[str]) -> None:
    assert codes(film, inspect(film.video), heard=heard) == expected


def test_a_still_that_is_meant_to_stand_is_not_frozen(shelf: Shelf) -> None:
    still = Motion(kind="static")
    document = with_clips(timeline(shelf), "video", lambda clip: clip.model_copy(update={"motion": still}))
    plan = frame_plan(document, SMALL)
    what = Seen([100.0] * plan.frames, [0.0] * plan.frames, {1: True})
    length = document.duration_ms
    form = ("h264", "High", "yuv420p", (1, 1, 1, 1))
    facts = FileFacts(plan.frames, length, 270, 480, *form, True, length, "aac 48000 2", ("video", "audio"), 40_000)
    assert check(plan, facts, what, GOOD).passed
