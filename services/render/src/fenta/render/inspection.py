"""What the packets of a film say about it: read by PyAV, nothing is decoded."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from fenta.render.checks import FileFacts
from fenta.render.errors import RenderInterrupted


def inspect(path: Path) -> FileFacts:
    """Raises RenderInterrupted `file_broken` when it is no film at all."""
    try:
        with av.open(str(path)) as container:
            return _facts(container, path.stat().st_size)
    except (av.FFmpegError, IndexError) as error:
        raise RenderInterrupted("file_broken", "The finished file cannot be opened.") from error


def _facts(container: Any, size_bytes: int) -> FileFacts:
    picture = container.streams.video[0]
    sound = container.streams.audio[0] if container.streams.audio else None
    packets = [packet for packet in container.demux() if packet.size]
    frames = sorted(packet.pts for packet in packets if packet.stream is picture)
    codec = picture.codec_context
    return FileFacts(
        frames=len(frames),
        duration_ms=_milliseconds(frames[-1] - frames[0] + _step(frames), picture) if frames else 0,
        width=codec.width,
        height=codec.height,
        codec=codec.codec.canonical_name,
        profile=str(codec.profile),
        pixel_format=str(codec.pix_fmt),
        colour=_colour(codec),
        steady=len({after - before for before, after in pairwise(frames)}) <= 1,
        sound_ms=_milliseconds(sound.duration, sound) if sound is not None and sound.duration else None,
        sound=_sound(sound) if sound is not None else None,
        streams=tuple(stream.type for stream in container.streams),
        size_bytes=size_bytes,
    )


def _colour(codec: Any) -> tuple[int, int, int, int]:
    """Range, matrix, primaries, transfer; BT.709 of limited range is 1 in each."""
    return int(codec.color_range), int(codec.colorspace), int(codec.color_primaries), int(codec.color_trc)


def _step(frames: list[int]) -> int:
    return frames[1] - frames[0] if len(frames) > 1 else 0


def _milliseconds(ticks: int, stream: Any) -> int:
    return round(float(ticks * stream.time_base) * 1000)


def _sound(stream: Any) -> str:
    codec = stream.codec_context
    return f"{codec.name} {codec.sample_rate} {codec.layout.nb_channels}"
