"""Segments and sound become one file by copying."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from fenta.render import programs
from fenta.render.encoders import exact_clock
from fenta.render.timeline import FramePlan


def join(plan: FramePlan, segments: Sequence[tuple[str, int]], sound: str | None, folder: Path, name: str) -> Path:
    """Put segments, given as (file, frames), and sound into one file that can be played while it is loaded."""
    (folder / "segments.txt").write_text("".join(_lines(segments, plan.fps)))
    streams: list[Any] = [ffmpeg.input("segments.txt", extra_options={"f": "concat", "safe": 0}).video]
    if sound:
        streams.append(ffmpeg.input(sound).audio)
    options = {"c": "copy", "fflags": "+bitexact", "movflags": "+faststart", **exact_clock(plan.fps)}
    output = ffmpeg.output(*streams, filename=name, extra_options=options)
    command = output.global_args(extra_options={"v": "error", "nostdin": True}).compile(overwrite_output=True)
    programs.run(command[1:], folder=folder)
    return folder / name


def _lines(segments: Sequence[tuple[str, int]], fps: int) -> list[str]:
    """A list for ffmpeg. The first file says what all are; without a decoder no frame of the others is looked at."""
    lines = [f"file '{file}'\nduration {frames / fps:.9f}\n" for file, frames in segments]
    return [lines[0], *(f"{line}option codec_whitelist none\n" for line in lines[1:])]
