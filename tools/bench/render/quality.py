"""How good it looks and sounds: measured in frames of the real renderer and in the finished file."""

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fenta.contracts.timeline import Motion, VideoClip
from fenta.generation.engines.alignment.spoken import SpokenAligner
from fenta.render import audio
from fenta.render.compose import camera, pictures
from fenta.render.compose.colour import to_yuv
from fenta.render.compose.frame import Frame
from fenta.render.timeline import burned
from tests.support.dots import Dots, backward_steps
from tests.support.pictures import jerk
from tests.support.recordings import errors
from tools.bench.page import result
from tools.bench.render.reference import CANVAS, Reference, structured

SLOW = Motion(**{"from": 1.0, "to": 1.05})
MOVES = [SLOW, *(Motion(kind=kind) for kind in ("push_in", "pan_left", "drift"))]
# The noise of eight bits is less than this.
STILL = 0.01
# The colour of a lit word in the blue-difference plane, and how many pixels of it must change for a word to begin.
LIT_U, CHANGED = 70, 300


def results(reference: Reference) -> list[dict[str, Any]]:
    return [
        *_camera(reference.folder),
        *_sharpness(reference),
        *_highlights(reference),
        *_alignment(),
        *_sound(reference),
    ]


def _camera(folder: Path) -> list[dict[str, Any]]:
    dots = Dots(CANVAS, folder / "dots.png", frames=150).paint()
    seen = [dots.followed(motion) for motion in MOVES]
    jerks = [jerk(found - wanted) for found, wanted in seen]
    errors = [float(np.abs(found - wanted).max()) for found, wanted in seen]
    back = sum(backward_steps(found, still=STILL) for found, _ in seen)
    return [
        result("render.jerk", "camera: worst jerk of four moves, px/frame²", [max(jerks)], goal="<= 0.05"),
        result("render.error", "camera: farthest from the ideal, px", [max(errors)], goal="<= 0.25"),
        result("render.backward", "camera: steps that go back", [back], goal="<= 0"),
    ]  # fmt: skip


def _sharpness(reference: Reference) -> list[dict[str, Any]]:
    """A picture of twice the canvas' size under a standing camera, against Lanczos of the same view."""
    path = reference.folder / "fine.png"
    # As a lens leaves it.
    photograph = cv2.GaussianBlur(structured(1, 2 * CANVAS.width, 2 * CANVAS.height), (0, 0), 0.8)
    cv2.imwrite(str(path), photograph)
    motion = Motion(**{"from": 1.1, "to": 1.1})
    source = {"kind": "colour", "colour": "#000000"}
    clip = VideoClip(id="c", start_ms=0, duration_ms=1000, motion=motion, source=source)
    frame = Frame(CANVAS.width, CANVAS.height)
    camera.draw(pictures.load(path, clip, CANVAS), motion, 0.5, frame, seconds=1)
    wanted = _lanczos(to_yuv(np.asarray(cv2.imread(str(path)), np.uint8))[0])
    sharp = cv2.Laplacian(frame.y, cv2.CV_64F).var() / cv2.Laplacian(wanted, cv2.CV_64F).var()
    return [
        result("render.sharpness", "sharpness / that of Lanczos", [float(sharp)], goal=">= 0.85"),
        result("render.psnr", "PSNR of Y against Lanczos, dB", [float(cv2.PSNR(frame.y, wanted))], goal=">= 42"),
    ]


def _lanczos(luma: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The middle of a plane at the canvas' size and zoom 1.1, as a good program for pictures makes it."""
    down, across = (
        _kernel(length, wanted) for length, wanted in zip(luma.shape, (CANVAS.height, CANVAS.width), strict=True)
    )
    return np.asarray(np.clip(np.round(down @ luma @ across.T), 0, 255), np.uint8)


def _kernel(length: int, wanted: int) -> np.ndarray[Any, Any]:
    """A row of weights for every pixel that is wanted: Lanczos with three lobes, widened by the scale."""
    step = length / wanted / 1.1
    middles = length / 2 + (np.arange(wanted) + 0.5 - wanted / 2) * step
    away = (np.arange(length)[None, :] + 0.5 - middles[:, None]) / step
    weights = np.where(np.abs(away) < 3, np.sinc(away) * np.sinc(away / 3), 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _highlights(reference: Reference) -> list[dict[str, Any]]:
    """From when a word is spoken to the first frame in which another word is lit."""
    lit = _lit(reference.finished.films[0].video)
    fps, late = reference.plan.fps, []
    for clip in burned(reference.timeline):
        for word in clip.words[1:]:
            near = range(word.start_ms * fps // 1000 - 3, word.start_ms * fps // 1000 + 5)
            first = next((frame for frame in near if (lit[frame] != lit[frame - 1]).sum() > CHANGED), None)
            if first is not None:
                late.append(first * 1000 / fps - word.start_ms)
    share = _share(reference, late)
    return [
        result("render.words.seen", "words whose highlight was found, share", [share], goal=">= 0.95"),
        result("render.words.early", "highlight against the word: the earliest, ms", [min(late)], goal=">= -5"),
        result("render.words.late", "highlight against the word: the latest, ms", [max(late)], goal="<= 34"),
    ]  # fmt: skip


def _alignment() -> list[dict[str, Any]]:
    """Words found by a known text alone: another voice, another speed, pauses, 20 dB of noise."""
    found = errors(SpokenAligner(), pauses=True)
    what = "words by alignment: 95th percentile of the error, ms"
    return [result("render.words.aligned", what, [float(np.percentile(found, 95))], goal="<= 80")]


def _share(reference: Reference, found: list[float]) -> float:
    return len(found) / sum(len(clip.words) - 1 for clip in burned(reference.timeline))


def _lit(film: Path) -> list[np.ndarray[Any, Any]]:
    """Of every frame the pixels that have the colour of the spoken word."""
    masks = []
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            planes = frame.to_ndarray()
            quarter = planes[CANVAS.height : CANVAS.height * 5 // 4].reshape(CANVAS.height // 2, CANVAS.width // 2)
            masks.append(quarter < LIT_U)
    return masks


def _sound(reference: Reference) -> list[dict[str, Any]]:
    audio.render_sound(reference.plan, reference.shelf.files, reference.folder)
    report = audio.loudness_report(reference.timeline.loudness, reference.folder)
    (reference.folder / "loudness.json").write_text(json.dumps(report))
    off = abs(report["integrated_lufs"] - reference.timeline.loudness.lufs)
    return [
        result("render.loudness", "loudness after AAC: off its target, LU", [off], goal="<= 0.3"),
        result("render.true_peak", "true peak after AAC, dBTP", [report["true_peak_dbtp"]], goal="<= -1"),
    ]
