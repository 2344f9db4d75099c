"""What a video file says of itself."""

import io
from dataclasses import dataclass

import av


@dataclass
class Film:
    width: int
    height: int
    fps: float
    seconds: float
    frames: int
    audio: bool


def probe(data: bytes) -> Film:
    """Read the streams of an MP4."""
    with av.open(io.BytesIO(data), mode="r") as container:
        video = container.streams.video[0]
        return Film(
            width=video.width,
            height=video.height,
            fps=float(video.average_rate or 0),
            seconds=float(container.duration or 0) / 1_000_000,
            frames=video.frames,
            audio=bool(container.streams.audio),
        )
