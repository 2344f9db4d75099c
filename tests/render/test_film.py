"""A finished film: what its file says, what is seen in it and heard, and that it does not depend on how it was made."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import ffmpeg
import numpy as np
import pytest

from fenta.contracts.timeline import Aspect, Canvas, Transition
from fenta.render import audio, encode, programs
from fenta.render import timeline as plans
from fenta.render.audio import mastering, mixing
from fenta.render.captions.burn import burn, install_fonts
from fenta.render.compose.composer import Composer
from fenta.render.engine import render
from fenta.render.inspection import inspect
from fenta.render.timeline import FramePlan, frame_plan
from tests.render.conftest import Film
from tests.render.media import SMALL, Shelf, bindings, compiled, heard, timeline


def plan_of(film: Film) -> FramePlan:
    return frame_plan(film.timeline, SMALL)


def luma_frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)])


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) + 1e-12))


def test_the_file_says_what_players_want_to_know(film: Film) -> None:
    facts = inspect(film.video)
    assert (facts.width, facts.height, facts.codec, facts.profile) == (270, 480, "h264", "High")
    assert (facts.pixel_format, facts.colour, facts.sound) == ("yuv420p", (1, 1, 1, 1), "aac 48000 2")
    assert facts.duration_ms == film.timeline.duration_ms
    assert facts.sound_ms == pytest.approx(film.timeline.duration_ms, abs=25)
    data = film.video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_every_frame_decodes_at_its_own_time(film: Film) -> None:
    with av.open(str(film.video)) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 30 for number in range(plan_of(film).frames)], abs=1e-6)


def test_what_was_made_is_all_there_and_nothing_else(film: Film) -> None:
    files = sorted(path.name for path in film.video.parent.iterdir())
    assert files == ["subtitles.srt", "subtitles.vtt", "thumbnail-9x16.jpg", "video-9x16.mp4"]
    assert film.rendered.beside["srt"].read_text().count("-->") == 6


def test_progress_rises_to_the_end(film: Film) -> None:
    done = [frames for frames, _ in film.progress]
    assert done == sorted(done)
    assert film.progress[-1] == (film.frames, film.frames)


def test_checks_measure_a_good_film(film: Film) -> None:
    checks = film.rendered.films[0].checks
    assert checks.passed
    assert (checks.black_ms, checks.frozen_ms, checks.duration_error_ms, checks.caption_coverage) == (0, 0, 0, 1.0)


def test_scenes_differ_and_none_is_dark(film: Film) -> None:
    frames = luma_frames(film.video)
    assert frames.reshape(len(frames), -1).mean(axis=1).min() > 20
    middles = [frames[(shot.first + shot.fade + shot.last) // 2] for shot in plan_of(film).shots]
    differences = [cv2.absdiff(one, other).mean() for one, other in pairwise(middles)]
    assert min(differences) > 10


def test_every_word_changes_the_picture(film: Film) -> None:
    """The film's frames against the same frames without text."""
    frames, plan = luma_frames(film.video), plan_of(film)
    moments = [plan.timeline.frame(word.start_ms + 100) for clip in plans.burned(film.timeline) for word in clip.words]
    composer = Composer(plan, film.shelf.files, film.video.parent)
    bare = {number: frame.y.copy() for number, frame in enumerate(composer.frames(0, plan.frames)) if number in moments}
    shares = [float((cv2.absdiff(frames[moment], bare[moment])[300:400] > 60).mean()) for moment in moments]
    assert min(shares) > 0.01


def test_loudness_and_peak(film: Film, tmp_path: Path) -> None:
    report = programs.run(
        [
            "-hide_banner",
            "-nostats",
            "-i",
            str(film.video),
            "-af",
            "ebur128=peak=true:framelog=quiet",
            "-f",
            "null",
            "-",
        ],
        folder=tmp_path,
    )
    lufs, peak = mastering.measured(report)
    assert lufs == pytest.approx(-14, abs=0.4)
    assert peak is not None
    assert peak <= -1.0


async def test_music_steps_back_under_speech(shelf: Shelf, tmp_path: Path) -> None:
    document = timeline(shelf)
    plan = frame_plan(document, SMALL)
    music = next(track for track in plans.sounds(document) if track.role == "music")
    sounds = mixing.Shelf(shelf.files, tmp_path)
    voice, _ = mixing.voices(plans.sounds(document), sounds, 48 * document.duration_ms)
    under_voice = mixing.bed(music, sounds, voice).part(0, 48 * document.duration_ms)
    spoken = [clip for track in plans.sounds(document) if track.role == "voice" for clip in track.clips]
    under = [level_db(under_voice[48 * clip.start_ms : 48 * (clip.start_ms + clip.duration_ms)]) for clip in spoken]
    alone = level_db(under_voice[48 * (document.duration_ms - 800) - 20_000 : 48 * (document.duration_ms - 800)])
    assert plan.frames * 1600 == len(under_voice)
    assert max(under) <= alone - 6


def test_a_voice_is_heard_at_its_place(film: Film) -> None:
    sound = heard(film.video)
    first = next(clip for track in plans.sounds(film.timeline) if track.role == "voice" for clip in track.clips)
    start = 48 * first.start_ms
    assert level_db(sound[start + 1000 : start + 5000]) > level_db(sound[max(0, start - 4500) : start - 500]) + 6


async def test_sound_is_the_same_in_every_run(film: Film, tmp_path: Path) -> None:
    hashes = set()
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        made = audio.render_sound(plan_of(film), film.shelf.files, folder)
        hashes.add(hashlib.sha256((folder / str(made.file)).read_bytes()).hexdigest())
    assert len(hashes) == 1


async def test_one_worker_makes_the_same_bytes_as_two(film: Film, tmp_path: Path) -> None:
    alone = await render(film.timeline, sources=film.shelf.files, canvases=[SMALL], folder=tmp_path, workers=1)
    assert alone.films[0].video.read_bytes() == film.video.read_bytes()
    assert alone.films[0].thumbnail.read_bytes() == film.rendered.films[0].thumbnail.read_bytes()


@pytest.mark.parametrize("cut", [3, 48, 51, 93])
def test_any_cut_shows_the_frames_of_the_whole(film: Film, tmp_path: Path, cut: int) -> None:
    """Cuts inside captions, transitions and highlights."""
    whole = captioned_frames(film, tmp_path, (0, 120))
    assert captioned_frames(film, tmp_path, (cut, 120)) == whole[cut:]


def captioned_frames(film: Film, folder: Path, span: tuple[int, int]) -> list[str]:
    """Hashes of the frames as they reach the encoder."""
    plan, environment = plan_of(film), install_fonts(folder)
    (folder / "cut.ass").write_text(burn(plan).document(span[0]), encoding="utf-8")
    raw = folder / "raw.yuv"
    with raw.open("wb") as file:
        for frame in Composer(plan, film.shelf.files, folder).frames(*span):
            file.write(frame.data.data)
    raw = ffmpeg.input("raw.yuv", extra_options=encode.raw_input_options(plan))
    written = encode.written_over(raw, "cut.ass", plan.fps)
    command = ffmpeg.output(written, filename="out", extra_options={"f": "framehash"}).compile(overwrite_output=True)
    programs.run(command[1:], folder=folder, environment=environment)
    lines = (folder / "out").read_text().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def test_the_thumbnail_is_a_picture_with_the_title(film: Film) -> None:
    picture: Any = cv2.imread(str(film.rendered.films[0].thumbnail))
    assert picture.shape == (480, 270, 3)
    assert (picture[48:190] > 235).all(axis=2).mean() > 0.02


async def test_a_clip_that_ends_early_holds_its_last_frame(shelf: Shelf, tmp_path: Path) -> None:
    film = shelf.film(shelf.folder / "clip.mp4", seconds=1.0)
    texts = ("One two three four five.",)
    document = compiled(bindings(shelf, texts, visuals={"s1": film}, music=None))
    plan = frame_plan(document, SMALL)
    frames = [frame.y.copy() for frame in Composer(plan, shelf.files, tmp_path).frames(0, 60)]
    assert cv2.absdiff(frames[5], frames[20]).mean() > 1
    assert np.array_equal(frames[45], frames[59])
    later = [frame.y.copy() for frame in Composer(plan, shelf.files, tmp_path).frames(12, 20)]
    assert all(np.array_equal(one, other) for one, other in zip(later, frames[12:20], strict=True))


@pytest.mark.parametrize("kind", ["crossfade", "slide", "wipe", "zoom"])
def test_a_transition_leads_from_one_picture_to_the_next(shelf: Shelf, tmp_path: Path, kind: Any) -> None:
    change = Transition(kind=kind, duration_ms=400)
    film = timeline(shelf, ("One two three.", "Four five six."), transition=change, captions=False)
    plan = frame_plan(film, SMALL)
    second = plan.shots[1]
    frames = {
        number: frame.y.copy()
        for number, frame in enumerate(Composer(plan, shelf.files, tmp_path).frames(0, second.first + second.fade + 1))
    }
    before, after = frames[second.first - 1], frames[second.first + second.fade]
    distances = [
        float(cv2.absdiff(frames[number], before).mean()) for number in range(second.first, second.first + second.fade)
    ]
    assert distances[0] < distances[-1]
    assert cv2.absdiff(frames[second.first + second.fade - 1], after).mean() < distances[-1]


@pytest.mark.parametrize("fit", ["contain", "blur"])
def test_a_wide_picture_is_shown_whole(shelf: Shelf, tmp_path: Path, fit: Any) -> None:
    wide = shelf.picture(5, width=640, height=360)
    document = timeline(shelf, ("One two three.",), visuals={"s1": wide}, captions=False, music=None)
    track = document.tracks[0]
    clips = [clip.model_copy(update={"fit": fit}) for clip in plans.pictures(document)]
    document = document.model_copy(update={"tracks": [track.model_copy(update={"clips": clips}), *document.tracks[1:]]})
    frame = next(iter(Composer(frame_plan(document, SMALL), shelf.files, tmp_path).frames(40, 41)))
    assert frame.y[200:280].std() > frame.y[:20].std()


def test_a_timeline_survives_its_own_json(film: Film) -> None:
    text = json.dumps(film.timeline.model_dump(mode="json", by_alias=True))
    assert type(film.timeline).model_validate_json(text) == film.timeline


async def test_every_aspect_is_a_whole_film_and_the_same_as_alone(film: Film, tmp_path: Path) -> None:
    aspects: list[Aspect] = ["16:9", "1:1", "4:5"]
    others = [Canvas.of(aspect, "540p") for aspect in aspects]
    made = await render(film.timeline, sources=film.shelf.files, canvases=[SMALL, *others], folder=tmp_path, workers=2)

    sizes = [(inspect(one.video).width, inspect(one.video).height) for one in made.films]
    assert sizes == [(270, 480), (960, 540), (540, 540), (540, 676)]
    assert all(one.checks.passed and one.frames == film.frames for one in made.films)
    assert made.encoded_ms == 4 * film.rendered.encoded_ms
    assert made.films[0].video.read_bytes() == film.video.read_bytes()
    assert len(set(map(sound_of, made.films))) == 1
    for one in made.films:
        thumbnail: Any = cv2.imread(str(one.thumbnail))
        assert thumbnail.shape[:2] == (one.canvas.height, one.canvas.width)


def sound_of(film: Any) -> bytes:
    """The packets of its sound, as they lie in the file."""
    with av.open(str(film.video)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))
