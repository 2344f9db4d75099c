"""Encoders: which there are for each codec, and which of them this machine can really use.

Listed in the binary is not working: an encoder counts once it has encoded a few frames here.
"""

import math
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fenta.contracts.nodes import Codec, EncoderWish, Quality
from fenta.render import programs

# Frames between others (B) are predicted to a quarter of a pixel and hardly corrected: seen one after the other, a slow
# move trembles by a third of a pixel in them. Without them, and with a finer search, it glides. A camera moves all of a
# picture alike: one reference and whole blocks follow it as well as many small ones, and cost a quarter less.
MOTION = "bframes=0:ref=1:subme=4:me=dia:partitions=i8x8"
PROBE_SIZE, PROBE_FRAMES = (640, 1136), 30


@dataclass(frozen=True)
class Encoder:
    """One of ffmpeg's, by its name there; `codec` and `profile` are what readers of the file will call it.

    `scale` is the number for quality and what it is called; lower is better. `tried` says whether anybody of this
    project has seen it work.
    """

    name: str
    codec: Codec
    profile: str
    scale: tuple[str, Mapping[Quality, int]]
    options: Mapping[str, Any] = field(default_factory=dict)
    hardware: bool = False
    tried: bool = True

    def arguments(self, quality: Quality, fps: int) -> dict[str, Any]:
        """Options of the output. Without hardware they give equal bytes for equal frames on any processor."""
        name, numbers = self.scale
        return {
            "c:v": self.name,
            **self.options,
            name: numbers[quality],
            "g": 2 * fps,
            "flags:v": "+cgop+bitexact",
            "fflags": "+bitexact",
        }


def _at(draft: int, standard: int, high: int) -> Mapping[Quality, int]:
    return {"draft": draft, "standard": standard, "high": high}


# One thread, no tricks of one kind of processor, no frames between others.
SOFTWARE: Mapping[Codec, Encoder] = {
    "h264": Encoder(
        "libx264", "h264", "High", ("crf", _at(28, 22, 18)),
        {"preset": "veryfast", "profile:v": "high", "threads": 1, "x264-params": f"cpu-independent=1:{MOTION}"},
    ),
    "hevc": Encoder(
        "libx265", "hevc", "Main", ("crf", _at(30, 24, 20)),
        {"preset": "veryfast", "threads": 1, "tag:v": "hvc1",
         "x265-params": "pools=none:frame-threads=1:bframes=0:open-gop=0:log-level=error"},
    ),
    "av1": Encoder(
        "libsvtav1", "av1", "Main", ("crf", _at(42, 34, 26)), {"preset": 9, "svtav1-params": "lp=1:pred-struct=1"}
    ),
    "vp9": Encoder(
        "libvpx-vp9", "vp9", "Profile 0", ("crf", _at(40, 32, 26)),
        {"deadline": "realtime", "cpu-used": 5, "b:v": 0, "threads": 1, "row-mt": 0},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """How finished frames become a film."""

    encoder: Encoder
    quality: Quality = "standard"

    def options(self, fps: int) -> dict[str, Any]:
        return self.encoder.arguments(self.quality, fps)


STANDARD = Encoding(SOFTWARE["h264"])


def exact_clock(fps: int) -> dict[str, Any]:
    """Options of an MP4 in which every frame's time is a whole number of ticks, in its header too."""
    return {"video_track_timescale": 1000 * fps, "movie_timescale": 1000 * fps}


def _card(name: str, codec: Codec, profile: str, scale: str, **options: Any) -> Encoder:
    return Encoder(name, codec, profile, (scale, _at(30, 24, 19)), options, hardware=True, tried=False)


# The first that works is taken. None could be tried where this was written: their options come from their makers.
_NVENC = {"preset": "p4", "rc": "vbr", "b:v": 0, "bf": 0}
HARDWARE = (
    _card("h264_nvenc", "h264", "High", "cq", **_NVENC, **{"profile:v": "high"}),
    _card("hevc_nvenc", "hevc", "Main", "cq", **_NVENC, **{"profile:v": "main", "tag:v": "hvc1"}),
    _card("av1_nvenc", "av1", "Main", "cq", **_NVENC),
    _card("h264_qsv", "h264", "High", "global_quality", **{"preset": "faster", "bf": 0, "profile:v": "high"}),
    _card("hevc_qsv", "hevc", "Main", "global_quality", **{"preset": "faster", "bf": 0, "tag:v": "hvc1"}),
    _card("av1_qsv", "av1", "Main", "global_quality", **{"preset": "faster", "bf": 0}),
    _card("h264_amf", "h264", "High", "qp_i", **{"rc": "cqp", "qp_p": 24, "profile:v": "high"}),
    _card("hevc_amf", "hevc", "Main", "qp_i", **{"rc": "cqp", "qp_p": 24, "tag:v": "hvc1"}),
)
BY_NAME = {encoder.name: encoder for encoder in (*SOFTWARE.values(), *HARDWARE)}


def choose(codec: Codec, wish: EncoderWish) -> Encoder:
    """The first working card where one is wished for, or quicker than the processor; else the processor."""
    software = SOFTWARE[codec]
    if wish == "software":
        return software
    for card in (card for card in HARDWARE if card.codec == codec):
        taken = seconds(card)
        if taken is not None and (wish == "hardware" or taken < (seconds(software) or math.inf)):
            return card
    return software


def seconds(encoder: Encoder) -> float | None:
    """How long it takes for a second of film; None when this machine cannot use it."""
    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        child = programs.start(_probe(encoder), folder=Path(folder), stderr=subprocess.DEVNULL)
        return time.perf_counter() - begun if child.wait() == 0 else None


def _probe(encoder: Encoder) -> list[str]:
    width, height = PROBE_SIZE
    pattern = f"testsrc2=size={width}x{height}:rate=30,format=yuv420p"
    options = [str(part) for key, value in encoder.arguments("standard", 30).items() for part in (f"-{key}", value)]
    source = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", pattern, "-frames:v", str(PROBE_FRAMES)]
    return [*source, *options, "-f", "null", "-"]
