"""What `make demo` leaves behind: one film, made once for all of these tests, seen and heard as a viewer would."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest

from fenta.embedded.client.report import UNITS, dollars
from fenta.render import timeline as plans
from fenta.render.inspection import inspect
from fenta.render.timeline import FramePlan
from tests.support.films import Film, Tracker, music_gains
from tests.support.pictures import jerk, similarity

# So many frames in the middle of each scene are looked at closely.
TRACKED_FRAMES = 30
# Into a word; its highlight is there from its first frame on.
WORD_MS = 70
# Text is told from no text, and scenes from one another, in frames of a quarter of the size.
SHRUNK = 4
TEXT_ROWS = slice(280, 420)


@dataclass(frozen=True)
class Demo:
    """One run of `fenta demo`: how it ended, what it printed, which processes it left, and the film."""

    code: int
    printed: str
    left_over: list[str]
    folder: Path
    home: Path

    @property
    def film(self) -> Film:
        return Film.from_store(self.folder, self.home / "objectstore")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "fenta.embedded.cli", "demo", "--out", str(folder / "out")]
    environment = {**os.environ, "FENTA_HOME": str(folder / "home"), "COLUMNS": "120"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return Demo(done.returncode, done.stdout, list(processes_of(folder)), folder / "out", folder / "home" / "demo")


def processes_of(folder: Path) -> Iterator[str]:
    """Whoever names this folder in its arguments or in its environment."""
    for process in psutil.process_iter():
        try:
            known = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in text for text in known):
            yield f"{process.pid} {process.name()}"


@pytest.fixture(scope="module")
def film(demo: Demo) -> Film:
    assert demo.code == 0, demo.printed
    return demo.film


@dataclass
class Seen:
    """What one look at all frames kept of them."""

    luma: list[float] = field(default_factory=list)
    words: dict[int, np.ndarray] = field(default_factory=dict)
    middles: dict[str, np.ndarray] = field(default_factory=dict)
    trackers: dict[str, Tracker] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(film: Film) -> Seen:
    plan, seen = film.plan, Seen()
    moments, tracked = set(word_frames(plan).values()), tracked_frames(plan)
    seen.trackers = {str(shot.clip.scene): Tracker(film, shot) for shot in plan.shots}
    for number, luma in enumerate(film.luma()):
        seen.luma.append(float(luma[::4, ::4].mean()))
        scene, first, last = next(span for span in tracked if number < span[2] or span is tracked[-1])
        if first <= number < last:
            seen.trackers[scene].look(number, luma)
        if number in moments or number == (first + last) // 2:
            small = cv2.resize(luma, None, fx=1 / SHRUNK, fy=1 / SHRUNK, interpolation=cv2.INTER_AREA)
            seen.words |= {number: small} if number in moments else {}
            seen.middles |= {scene: small} if number == (first + last) // 2 else {}
    return seen


def word_frames(plan: FramePlan) -> dict[str, int]:
    """For every word that is shown, by its clip and number, a frame in which it is the one that is lit."""
    return {
        f"{clip.id} {number} {word.text}": plan.timeline.frame(word.start_ms + WORD_MS)
        for clip in plans.burned(plan.timeline)
        for number, word in enumerate(clip.words)
    }


def tracked_frames(plan: FramePlan) -> list[tuple[str, int, int]]:
    """In each scene the frames around its middle, away from its transitions."""
    spans = []
    for shot in plan.shots:
        first = (shot.first + shot.fade + shot.last - TRACKED_FRAMES) // 2
        assert shot.first + shot.fade <= first
        spans.append((str(shot.clip.scene), first, first + TRACKED_FRAMES))
    return spans


def test_the_demo_succeeds_and_leaves_nothing_running(demo: Demo) -> None:
    assert demo.code == 0, demo.printed
    assert demo.left_over == []
    assert re.search(r"job\.completed came as \S+; its signature is right", demo.printed)


def test_its_files_are_those_that_it_promises(demo: Demo, film: Film) -> None:
    names = {path.name for path in demo.folder.iterdir()}
    assert names == {"video.mp4", "subtitles.srt", "subtitles.vtt", "thumbnail.jpg", "manifest.json"}
    assert all(name in demo.printed for name in names)


def test_any_player_can_play_it(film: Film) -> None:
    facts = inspect(film.video)
    assert (facts.width, facts.height, facts.codec, facts.profile) == (1080, 1920, "h264", "High")
    assert (facts.pixel_format, facts.colour, facts.sound) == ("yuv420p", (1, 1, 1, 1), "aac 48000 2")
    assert 25_000 <= facts.duration_ms <= 30_000
    assert facts.sound_ms == pytest.approx(facts.duration_ms, abs=30)
    assert facts.steady
    assert facts.frames * 1000 == facts.duration_ms * 30
    with av.open(str(film.video)) as container:
        assert container.streams.video[0].average_rate == 30
    boxes = top_boxes(film.video)
    assert boxes.index("moov") < boxes.index("mdat")


def top_boxes(path: Path) -> list[str]:
    """The names of an MP4's outermost boxes, in order."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        names.append(data[at + 4 : at + 8].decode())
        assert size >= 8, "a box of an MP4 has a header"
        at += size
    return names


def test_its_subtitles_say_all_that_is_said(demo: Demo, film: Film) -> None:
    said = " ".join(clip.text for clip in plans.burned(film.timeline)).split()
    assert len(said) > 50
    for name in ("subtitles.srt", "subtitles.vtt"):
        text = (demo.folder / name).read_text()
        lines = [line for line in text.splitlines() if line and "-->" not in line and not line.isdigit()]
        assert " ".join(lines).removeprefix("WEBVTT").split() == said
        assert text.count("-->") == len(plans.burned(film.timeline))


def test_its_thumbnail_is_a_picture_of_its_size(demo: Demo) -> None:
    picture: Any = cv2.imread(str(demo.folder / "thumbnail.jpg"))
    assert picture.shape == (1920, 1080, 3)
    assert picture.mean() > 30
    assert picture.std() > 20


def test_its_manifest_says_of_every_part_how_it_was_made(film: Film) -> None:
    parts = film.manifest["parts"]
    kinds = {part["node_type"] for part in parts}
    assert {"Input.KAI.GenerateImage", "Voice.TTS", "Music.Generate", "Edit.Timeline", "Output.Render"} <= kinds
    for part in parts:
        assert part["step_key"]
        assert isinstance(part["params"], dict)
        assert set(part["cost"]) == {"amount_micros", "currency"}
        for asset in part["assets"]:
            assert asset["sha256"] in film.files, f"{part['step_key']} names a file that is not there"
            assert asset["lineage"]["provider"], part["step_key"]
    made_from = {part["step_key"] for part in parts}
    assert {f"image[{shot.clip.scene}]" for shot in film.plan.shots} <= made_from


def test_its_costs_are_those_that_were_captured_and_printed(demo: Demo, film: Film) -> None:
    manifest = film.manifest
    total = sum(part["cost"]["amount_micros"] for part in manifest["parts"])
    assert total == manifest["cost"]["amount_micros"] > 0
    assert re.search(r"^Cost\s+(\S+)", demo.printed, re.MULTILINE)[1] == dollars(total)  # type: ignore[index]
    assert {unit: printed(demo, UNITS[unit])["captured"] for unit in manifest["usage"]} == manifest["usage"]
    for unit in manifest["usage"]:
        row = printed(demo, UNITS[unit])
        assert row["held"] == row["captured"] + row["released"]
        assert sum(part["usage"].get(unit, 0) for part in map(by_unit, manifest["parts"])) == row["captured"]


def by_unit(part: dict[str, Any]) -> dict[str, dict[str, int]]:
    """A part whose lines of usage are summed."""
    usage: dict[str, int] = {}
    for line in part["usage"]:
        usage[line["unit"]] = usage.get(line["unit"], 0) + line["quantity"]
    return {"usage": usage}


def printed(demo: Demo, name: str) -> dict[str, int]:
    """A row of the bill."""
    row = re.search(rf"^\s+{name}\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)", demo.printed, re.MULTILINE)
    assert row, f"no bill for {name} in: {demo.printed}"
    held, captured, released = (int(number.replace(",", "")) for number in row.groups())
    return {"held": held, "captured": captured, "released": released}


def test_no_frame_is_dark(film: Film, seen: Seen) -> None:
    assert len(seen.luma) == film.plan.frames
    assert min(seen.luma) >= 20


def test_its_scenes_differ_from_one_another(film: Film, seen: Seen) -> None:
    assert len(seen.middles) == len(film.plan.shots) >= 5
    pairs = itertools.combinations(seen.middles.items(), 2)
    alike = {f"{one} and {other}": similarity(a.astype(float), b.astype(float)) for (one, a), (other, b) in pairs}
    assert max(alike.values()) < 0.7, alike


def test_its_camera_glides(film: Film, seen: Seen) -> None:
    """In the finished file: what the encoder does to a move is seen as well as what the composer does."""
    shaking = {scene: jerk(tracker.paths) for scene, tracker in seen.trackers.items()}
    assert all(len(tracker.paths) == TRACKED_FRAMES for tracker in seen.trackers.values())
    assert max(shaking.values()) <= 0.1, shaking


def test_every_word_is_seen_while_it_is_said(film: Film, seen: Seen, tmp_path: Path) -> None:
    moments = word_frames(film.plan)
    frames = enumerate(film.bare(tmp_path, SHRUNK))
    bare = {number: luma[TEXT_ROWS].copy() for number, luma in frames if number in seen.words}
    shares = {
        word: float((cv2.absdiff(seen.words[frame][TEXT_ROWS], bare[frame]) > 50).mean())
        for word, frame in moments.items()
    }
    assert len(shares) > 50
    assert min(shares.values()) > 0.005, min(shares, key=lambda word: shares[word])


def test_its_music_steps_back_under_the_voice(film: Film) -> None:
    spoken, alone = music_gains(film)
    assert len(spoken) > 50
    assert len(alone) >= 3
    assert np.median(spoken) <= np.median(alone[-3:]) - 6
