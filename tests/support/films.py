"""A finished film beside what it was made from: its timeline, the files that this names, its frames and its sound."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np

from fenta.contracts.timeline import Timeline
from fenta.render import timeline as plans
from fenta.render.audio import mixing
from fenta.render.audio.samples import RATE, decode
from fenta.render.compose import camera, pictures
from fenta.render.compose.composer import Composer
from fenta.render.timeline import FramePlan, Shot, frame_plan
from tests.support.pictures import shift

# Rows of the canvas in which no caption, title or end card is ever seen, and the size of what is tracked there.
PLACES = [(across, down) for down in (0.055, 0.91) for across in (0.15, 0.5, 0.85)]
PATCH = (200, 120)


@dataclass(frozen=True)
class Film:
    """`video` is the file, `manifest` says what it was made of, `files` has those parts by their SHA-256."""

    video: Path
    manifest: dict[str, Any]
    files: dict[str, Path]

    @classmethod
    def from_store(cls, folder: Path, store: Path) -> "Film":
        """The results in `folder`, and everything in the folder of a local object store."""
        files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in store.glob("data/*/*")}
        return cls(folder / "video.mp4", json.loads((folder / "manifest.json").read_text()), files)

    @cached_property
    def timeline(self) -> Timeline:
        part = next(part for part in self.manifest["parts"] if part["node_type"] == "Edit.Timeline")
        return Timeline.model_validate_json(self.files[part["assets"][0]["sha256"]].read_bytes())

    @cached_property
    def plan(self) -> FramePlan:
        return frame_plan(self.timeline, self.timeline.canvases[0])

    def luma(self) -> Iterator[np.ndarray]:
        """Each frame's luma as a player sees it, valid until the next one is asked for."""
        with av.open(str(self.video)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield frame.to_ndarray()[: frame.height]

    def bare(self, folder: Path, scale: int) -> Iterator[np.ndarray]:
        """The luma of the same frames, a `scale`-th as large, without captions, title and end card."""
        size = {"width": self.plan.canvas.width // scale, "height": self.plan.canvas.height // scale}
        plan = frame_plan(self.timeline, self.plan.canvas.model_copy(update=size))
        for frame in Composer(plan, self.files, folder).frames(0, plan.frames):
            yield frame.y


class Tracker:
    """Follows places of one scene's picture through the frames of a film."""

    def __init__(self, film: Film, shot: Shot) -> None:
        canvas = film.plan.canvas
        source = shot.clip.source
        assert source.kind == "asset"
        self._shot, self._size = shot, (canvas.width, canvas.height)
        self._picture = pictures.load(film.files[source.sha256], shot.clip, canvas).y
        self.paths: list[list[tuple[float, float]]] = []

    def look(self, number: int, luma: np.ndarray) -> None:
        """Note how far each place is from where the camera should show it in this frame, in pixels."""
        places = [(round(x * self._size[0] - PATCH[0] / 2), round(y * self._size[1] - PATCH[1] / 2)) for x, y in PLACES]
        self.paths.append(
            [
                shift(self._expected(number, left, top), luma[top : top + PATCH[1], left : left + PATCH[0]])
                for left, top in places
            ]
        )

    def _expected(self, number: int, left: int, top: int) -> np.ndarray:
        size = (self._picture.shape[1], self._picture.shape[0])
        x, y, scale = camera.view(self._shot.clip.motion, self._shot.position(number), size, self._size)
        x, y = x + left * scale, y + top * scale
        matrix = np.array([[scale, 0, x + scale / 2 - 0.5], [0, scale, y + scale / 2 - 0.5]])
        return cv2.warpAffine(self._picture, matrix, PATCH, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def music_gains(film: Film, window_ms: int = 200) -> tuple[list[float], list[float]]:
    """How loud the music is in the finished sound, in dB: while somebody speaks, and where nobody does.

    Voice and music are mixed anew, each by itself and without ducking; least squares tell, window by window, how much
    of each is in what is heard.
    """
    tracks, length = plans.sounds(film.timeline), film.timeline.duration_ms * RATE // 1000
    music = next(track for track in tracks if track.role == "music")
    with TemporaryDirectory() as folder:
        shelf = mixing.Shelf(film.files, Path(folder))
        speech, _ = mixing.voices(tracks, shelf, length)
        steady = mixing.bed(music.model_copy(update={"duck": None}), shelf, speech).part(0, length)
        voice = speech.part(0, length)
        heard = decode(film.video, Path(folder) / "film.f32", "film").part(0, length)
    stems = np.stack([voice.mean(axis=1), steady.mean(axis=1)], axis=1).astype(float)
    spoken: list[float] = []
    alone: list[float] = []
    size = window_ms * RATE // 1000
    for start in range(0, length - size + 1, size):
        part = stems[start : start + size]
        gains = np.linalg.lstsq(part, heard[start : start + size].mean(axis=1), rcond=None)[0]
        group = spoken if part[:, 0].any() else alone
        group.append(float(20 * np.log10(abs(gains[1]) + 1e-6)))
    return spoken, alone
