"""The film that is measured, and the frames of it that the encoder alone gets."""

import asyncio
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import ffmpeg
import numpy as np

from fenta.contracts.timeline import Camera, Canvas, Motion, Timeline, Transition, VideoTrack
from fenta.render import encode, programs
from fenta.render.engine import NO_CACHE, Rendered, render
from fenta.render.templates.bindings import Visual
from fenta.render.timeline import FramePlan, frame_plan
from tests.render.media import Shelf, timeline

CANVAS = Canvas(aspect="9:16", width=1080, height=1920)
SCENES = 12
# Fourteen words of the buzzing voice and the pause after them are five seconds.
SENTENCE = "Light needs its time to arrive here and so we only see the past"
MOVES: tuple[Camera, ...] = ("push_in", "pan_left", "pull_out", "tilt_up", "drift", "pan_right")
CHANGES = ("crossfade", "slide_left", "zoom_in", "wipe_up", "blur", "dissolve")
# The encoder as anybody would call it, on one thread as ours.
PLAIN = {"c:v": "libx264", "preset": "veryfast", "crf": 21, "threads": 1}


class Reference:
    """Everything lies in `folder`, which the caller takes away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf(folder)

    @cached_property
    def timeline(self) -> Timeline:
        return self.film(SCENES)

    def film(self, scenes: int, sentence: str = SENTENCE) -> Timeline:
        """So many scenes that each last as long as their sentence."""
        texts = [sentence] * scenes
        pictures = {f"s{number}": detailed(self.shelf, number) for number in range(1, scenes + 1)}
        made = timeline(self.shelf, texts, visuals=pictures, canvases=(CANVAS,))
        return made.model_copy(update={"tracks": [_moved(made.tracks[0]), *made.tracks[1:]]})

    @cached_property
    def plan(self) -> FramePlan:
        return frame_plan(self.timeline, CANVAS)

    @cached_property
    def finished(self) -> Rendered:
        """The film itself, made once and kept."""
        return self.render(self.timeline, workers=2, keep="finished")

    def render(
        self,
        document: Timeline,
        *,
        canvases: Sequence[Canvas] = (CANVAS,),
        workers: int = 1,
        keep: str | None = None,
        cache: Any = NO_CACHE,
    ) -> Rendered:
        """By the engine, as the service does it; the files go, unless they are kept under a name."""
        out = self.folder / (keep or "out")
        made = asyncio.run(
            render(document, sources=self.shelf.files, canvases=canvases, folder=out, workers=workers, cache=cache)
        )
        if keep is None:
            shutil.rmtree(out)
        return made

    @cached_property
    def raw(self) -> Path:
        """The film's own frames, decoded."""
        path = self.folder / "frames.yuv"
        film = ffmpeg.input(str(self.finished.films[0].video)).video
        self.run(ffmpeg.output(film, filename=path.name, extra_options={"f": "rawvideo", "pix_fmt": "yuv420p"}))
        return path

    def encoder_alone(self) -> None:
        frames = ffmpeg.input(self.raw.name, extra_options=encode.raw_input_options(self.plan))
        self.run(ffmpeg.output(frames, filename="alone.mp4", extra_options=PLAIN))

    def run(self, output: Any) -> None:
        quiet = output.global_args(extra_options={"v": "error", "nostdin": True})
        programs.run(quiet.compile(overwrite_output=True)[1:], folder=self.folder)


def _moved(track: Any) -> VideoTrack:
    """Each scene with a camera and a transition of its own."""
    clips = [
        clip.model_copy(
            update={
                "motion": Motion(kind=MOVES[number % len(MOVES)]),
                "transition": Transition(kind=CHANGES[number % len(CHANGES)], duration_ms=500) if number else None,
            }
        )
        for number, clip in enumerate(track.clips)
    ]
    found: VideoTrack = track.model_copy(update={"clips": clips})
    return found


def detailed(shelf: Shelf, seed: int) -> Visual:
    """A picture of the canvas' size."""
    name = f"detailed-{seed}.png"
    cv2.imwrite(str(shelf.folder / name), structured(seed, CANVAS.width, CANVAS.height))
    return Visual(shelf.keep(name))


def structured(seed: int, width: int, height: int) -> np.ndarray[Any, Any]:
    """Structure at every size, as in a photograph: what makes an encoder work."""
    noise = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for size, weight in ((6, 90), (24, 60), (96, 40), (384, 28), (width, 12)):
        rough = noise.random((size * height // width, size, 3))
        picture += weight * (cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC) - 0.5)
    return np.clip(picture + 120, 0, 255).astype(np.uint8)
