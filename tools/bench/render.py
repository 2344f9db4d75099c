"""What a render costs beyond the encoder alone: ratios of CPU time of whole process trees, measured in one run.

`python -m tools.bench.render` prints a list of `{id, what, value, goal, runs}`. Wall time is not judged: the machine
may be shared. The encoder alone gets the same frames, with their captions, from a file.
"""

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import ffmpeg
import numpy as np

from fenta.contracts.timeline import Canvas
from fenta.render import audio, encode, programs
from fenta.render.captions.burn import Burn, burn, install_fonts
from fenta.render.checks import Heard, Seen, check
from fenta.render.compose.composer import Composer
from fenta.render.encoders import SOFTWARE
from fenta.render.inspection import inspect
from fenta.render.template import Visual
from fenta.render.timeline import FramePlan, frame_plan
from tests.render.media import Shelf, timeline
from tools.bench.page import result

CANVAS = Canvas(aspect="9:16", width=1080, height=1920)
TEXTS = ("The night is dark, but why is it?", "Light needs time to arrive here.")
RUNS = 3
# The encoder as anybody would call it, at our quality and on one thread as ours.
PLAIN = {"c:v": "libx264", "preset": "veryfast", "crf": SOFTWARE["h264"].scale[1]["standard"], "threads": 1}


def run(runs: int = RUNS) -> list[dict[str, Any]]:
    """The benches of rendering; about half a minute on an idle core."""
    with tempfile.TemporaryDirectory(prefix="fenta-bench-") as name:
        return _Bench(Path(name)).results(runs)


class _Bench:
    """One film of detailed pictures, and its frames as a raw file for the encoder alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shelf = Shelf(folder)
        pictures = {f"s{number}": _detailed(shelf, number) for number in (1, 2)}
        document = timeline(shelf, TEXTS, visuals=pictures, canvases=(CANVAS,), transition="crossfade")
        self._sources = shelf.files
        self._plan: FramePlan = frame_plan(document, CANVAS)
        self._text: Burn = burn(self._plan)
        install_fonts(folder)
        self._write_raw()

    def results(self, runs: int) -> list[dict[str, Any]]:
        taken: dict[str, list[float]] = {"encoder": [], "film": [], "sound": [], "checks": []}
        # In turn, so that whatever else the machine does meets all of them alike.
        for _ in range(runs):
            taken["encoder"].append(_cpu(self._encoder_alone))
            taken["film"].append(_cpu(self._film))
            taken["sound"].append(_cpu(self._sound))
            taken["checks"].append(_cpu(self._checks))
        ratios = {name: _ratios(values, taken["encoder"]) for name, values in taken.items()}
        beside = [sound + checks for sound, checks in zip(ratios["sound"], ratios["checks"], strict=True)]
        film = "CPU of composing, captions and encoding / x264 alone"
        return [
            result("render.film", film, ratios["film"], goal="<= 1.6"),
            result("render.sound_and_checks", "CPU of sound and checks / x264 alone", beside, goal="<= 0.2"),
            result("render.sound", "CPU of sound / x264 alone", ratios["sound"]),
            result("render.peak_rss_mib", "peak memory of a worker and its encoder, MiB", [_peak_mib()], goal="<= 650"),
        ]

    def _film(self) -> None:
        spans = self._plan.segments()
        self._segments = [
            encode.encode_segment(self._text, self._sources, self._folder, span, lambda frames: None) for span in spans
        ]

    def _sound(self) -> None:
        self._heard = audio.render_sound(self._plan, self._sources, self._folder)

    def _checks(self) -> None:
        parts = [(segment.name, segment.frames) for segment in self._segments]
        film = encode.join(self._plan, parts, self._heard.file, self._folder, "film.mp4")
        statistics_ = [segment.statistics for segment in self._segments]
        seen = Seen(
            [luma for one in statistics_ for luma in one.luma],
            [change for one in statistics_ for change in one.change],
            {frame: visible for segment in self._segments for frame, visible in segment.captioned.items()},
        )
        heard = Heard(self._heard.loudness_lufs, self._heard.silent_ms, self._heard.mute)
        found = check(self._plan, inspect(film), seen, heard)
        if not found.passed:
            raise AssertionError(found.faults)

    def _encoder_alone(self) -> None:
        raw = ffmpeg.input("frames.yuv", extra_options=encode.raw_input_options(self._plan))
        self._run(ffmpeg.output(raw, filename="alone.mp4", extra_options=PLAIN))

    def _write_raw(self) -> None:
        bare = self._folder / "bare.yuv"
        with bare.open("wb") as file:
            for frame in Composer(self._plan, self._sources, self._folder).frames(0, self._plan.frames):
                file.write(frame.data.data)
        (self._folder / "all.ass").write_text(self._text.document(), encoding="utf-8")
        raw = ffmpeg.input("bare.yuv", extra_options=encode.raw_input_options(self._plan))
        written = encode.written_over(raw, "all.ass", self._plan.fps)
        self._run(ffmpeg.output(written, filename="frames.yuv", extra_options={"f": "rawvideo"}))
        bare.unlink()

    def _run(self, output: Any) -> None:
        quiet = output.global_args(extra_options={"v": "error", "nostdin": True})
        environment = encode.fonts_environment(self._folder)
        programs.run(quiet.compile(overwrite_output=True)[1:], folder=self._folder, environment=environment)


def _detailed(shelf: Shelf, seed: int) -> Visual:
    """Structure at every size, as in a photograph: what makes an encoder work."""
    noise = np.random.default_rng(seed)
    picture = np.zeros((1920, 1080, 3))
    for size, weight in ((6, 90), (24, 60), (96, 40), (384, 28), (1080, 12)):
        rough = noise.random((size * 16 // 9, size, 3))
        picture += weight * (cv2.resize(rough, (1080, 1920), interpolation=cv2.INTER_CUBIC) - 0.5)
    name = f"detailed-{seed}.png"
    cv2.imwrite(str(shelf.folder / name), np.clip(picture + 120, 0, 255).astype(np.uint8))
    return Visual(shelf.keep(name))


def _cpu(work: Callable[[], None]) -> float:
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    spans = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(span.ru_utime + span.ru_stime for span in spans)


def _peak_mib() -> float:
    spans = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(span.ru_maxrss for span in spans) / 1024


def _ratios(values: list[float], base: list[float]) -> list[float]:
    return [value / floor for value, floor in zip(values, base, strict=True)]


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=2)
    print()
