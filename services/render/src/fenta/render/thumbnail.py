"""The thumbnail: the best of a few frames, with the title on it."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import ffmpeg

from fenta.contracts.nodes import ThumbnailBy
from fenta.contracts.timeline import CaptionTrack, OverlayClip, Timeline
from fenta.render import programs
from fenta.render.captions import ass, overlays
from fenta.render.captions.burn import ACCENT
from fenta.render.compose.composer import Composer
from fenta.render.compose.frame import Frame
from fenta.render.encode import fonts_environment, raw_input_options, written_over
from fenta.render.faces import Faces
from fenta.render.timeline import FramePlan, own_fonts, thumbnail_frames

NAME = "thumbnail.jpg"
BOX = (0.08, 0.1, 0.84, 0.3)
SETTLED = 600_000


# What a frame is worth as a thumbnail; where the first number is the same, the next one decides.
Worth = Callable[[Frame], tuple[float, ...]]


def sharpness(frame: Frame) -> tuple[float, ...]:
    return (float(cv2.Laplacian(frame.y, cv2.CV_32F).var()),)


def contrast(frame: Frame) -> tuple[float, ...]:
    return (float(frame.y.std()),)


def worth(by: ThumbnailBy, face_model: Path | None) -> Worth:
    """Without a model, and among frames without a face, the sharpest is the best."""
    if by == "contrast":
        return contrast
    if by == "faces" and face_model:
        found = Faces(face_model)
        return lambda frame: (found.share(frame), *sharpness(frame))
    return sharpness


def render_thumbnail(plan: FramePlan, sources: Mapping[str, Path], folder: Path, worth: Worth = sharpness) -> Path:
    """One JPEG of the canvas' size."""
    bare = replace(plan, timeline=_titled(plan.timeline))
    frame = _best(bare, sources, folder, worth)
    (folder / "thumbnail.ass").write_text(_text(bare), encoding="utf-8")
    raw = ffmpeg.input("-", extra_options=raw_input_options(plan))
    written = written_over(raw, "thumbnail.ass", plan.fps)
    # JPEG knows one matrix and range only, and they are not those of the film.
    picture = written.scale(
        in_color_matrix="bt709", in_range="limited", out_color_matrix="bt601", out_range="full"
    ).format(pix_fmts="yuvj444p")
    _run(ffmpeg.output(picture, filename=NAME, extra_options={"frames:v": 1, "q:v": 2, "update": 1}), frame, folder)
    return folder / NAME


def _titled(timeline: Timeline) -> Timeline:
    """The film's pictures under a title that has always been there; no captions, no end card."""
    kept = [track for track in timeline.tracks if track.kind in {"video", "overlay"}]
    font = next(iter(own_fonts(timeline)), None)
    title = OverlayClip(
        id="title", start_ms=0, duration_ms=timeline.duration_ms, text=timeline.title, box=BOX, font=font
    )
    first = next((track for track in kept if track.kind == "overlay"), None)
    overlay = [
        track.model_copy(update={"clips": [title] if timeline.title and track is first else []})
        if track.kind == "overlay"
        else track
        for track in kept
    ]
    captions = [track.model_copy(update={"clips": []}) for track in timeline.tracks if isinstance(track, CaptionTrack)]
    return timeline.model_copy(update={"tracks": [*overlay, *captions]})


def _best(plan: FramePlan, sources: Mapping[str, Path], folder: Path, worth: Worth) -> bytes:
    """The first where one is worth as much as the other."""
    frames = [_frame(plan, sources, folder, number, worth) for number in thumbnail_frames(plan)]
    return max(frames, key=lambda pair: pair[0])[1]


def _frame(
    plan: FramePlan, sources: Mapping[str, Path], folder: Path, number: int, worth: Worth
) -> tuple[tuple[float, ...], bytes]:
    for frame in Composer(plan, sources, folder).frames(number, number + 1):
        return worth(frame), frame.data.tobytes()
    raise AssertionError("a range of one frame has one")


def _text(plan: FramePlan) -> str:
    track = next((track for track in plan.timeline.tracks if isinstance(track, CaptionTrack)), None)
    clips = [clip for track in plan.timeline.tracks if track.kind == "overlay" for clip in track.clips]
    # Long before the frame, so that everything has come in.
    early = [clip.model_copy(update={"duration_ms": clip.duration_ms + 2 * SETTLED}) for clip in clips]
    styles, events = overlays.events(early, plan, track.accent if track else ACCENT)
    return ass.document(plan.canvas, plan.fps, styles, events, origin=SETTLED * plan.fps // 1000)


def _run(output: Any, frame: bytes, folder: Path) -> None:
    command = output.global_args(extra_options={"v": "error", "nostdin": True}).compile(overwrite_output=True)
    child = programs.start(command[1:], folder=folder, stdin=subprocess.PIPE, environment=fonts_environment(folder))
    _, errors = child.communicate(frame)
    if child.returncode:
        raise programs.failure(child.returncode, errors.decode(errors="replace"))
