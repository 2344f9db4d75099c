"""Decoded sound: in a file beside the film's others, read piece by piece, because it may be long."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from fenta.render import sniffing
from fenta.render.errors import RenderRefused

RATE = 48_000
HOP = RATE // 100
BLOCK = 10 * RATE
MUTE_DB = -60.0
# A few bytes can stand for days of silence.
LONGEST = 3600 * RATE
# Bytes of one moment of two channels.
_WIDTH = 8

Samples = NDArray[np.float32]
Levels = NDArray[np.float64]


class Recording:
    """Stereo samples at 48 kHz in a file; `length` is how many moments it has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.length = path.stat().st_size // _WIDTH

    def part(self, first: int, last: int) -> Samples:
        """The moments `[first, last)`, fewer at the end."""
        count = max(0, min(last, self.length) - first)
        return np.fromfile(self._path, np.float32, 2 * count, offset=first * _WIDTH).reshape(-1, 2)

    def blocks(self) -> Iterator[Samples]:
        for first in range(0, self.length, BLOCK):
            yield self.part(first, first + BLOCK)

    def levels(self) -> Levels:
        """In dB, every 10 ms."""
        return np.concatenate([hop_levels(block) for block in self.blocks()] or [np.empty(0)])


def decode(path: Path, into: Path, clip_id: str, speed: float = 1.0) -> Recording:
    """Write the samples of a file into another. Raises RenderRefused `source_invalid` when there is no sound in it."""
    kind = sniffing.demuxer(path, clip_id)
    try:
        with (
            av.open(str(path), format=kind, options=sniffing.GUARDS) as container,
            into.open("wb") as file,
        ):
            sniffing.require_modest(container, clip_id)
            for block in _decoded(container, speed):
                file.write(block.tobytes())
                if file.tell() > LONGEST * _WIDTH:
                    raise _too_long(clip_id)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise unreadable(clip_id) from error
    recording = Recording(into)
    if recording.length == 0:
        raise unreadable(clip_id)
    return recording


def _decoded(container: Any, speed: float) -> Iterator[Samples]:
    stream = container.streams.audio[0]
    # One channel goes to both sides as it is; the mixing table of the library would lower it.
    layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
    resampler = av.AudioResampler(format="flt", layout=layout, rate=RATE)
    tempo = _Tempo(speed, layout) if speed != 1.0 else None
    for frame in (*container.decode(stream), None):
        for block in resampler.resample(frame):
            yield from tempo.push(block) if tempo else [_stereo(block)]
    if tempo:
        yield from tempo.push(None)


def _stereo(block: Any) -> Samples:
    channels = block.to_ndarray().reshape(-1, len(block.layout.channels))
    return np.ascontiguousarray(np.broadcast_to(channels, (len(channels), 2)), np.float32)


class _Tempo:
    """Faster or slower at the same pitch."""

    def __init__(self, speed: float, layout: str) -> None:
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(format="flt", sample_rate=RATE, layout=layout, time_base=Fraction(1, RATE))
        last = source
        for factor in _factors(speed):
            step = self._graph.add("atempo", f"{factor:.6f}")
            last.link_to(step)
            last = step
        sink = self._graph.add("abuffersink")
        last.link_to(sink)
        self._graph.configure()
        self._at = 0

    def push(self, block: Any) -> Iterator[Samples]:
        if block is not None:
            block.pts, block.time_base = self._at, Fraction(1, RATE)
            self._at += block.samples
        self._graph.push(block)
        while True:
            try:
                yield _stereo(self._graph.pull())
            except (av.BlockingIOError, av.EOFError):
                return


def _factors(speed: float) -> list[float]:
    """The filter changes the tempo by half at the most, and sounds best below a doubling."""
    factors = []
    while not 0.5 <= speed <= 2.0:
        step = 2.0 if speed > 1 else 0.5
        factors.append(step)
        speed /= step
    return [*factors, speed]


def _too_long(clip_id: str) -> RenderRefused:
    seconds = LONGEST // RATE
    return RenderRefused(
        "source_invalid", f"The sound of clip {clip_id} lasts more than {seconds} s.", "Cut it before."
    )


def unreadable(clip_id: str) -> RenderRefused:
    return RenderRefused("source_invalid", f"The sound of clip {clip_id} cannot be read.", "Replace it and try again.")


# --- levels -----------------------------------------------------------------------------------------------------------


def silence(length: int) -> Samples:
    return np.zeros((length, 2), np.float32)


def hop_levels(samples: Samples) -> Levels:
    """RMS level in dB of every 10 ms; what is left at the end is not counted."""
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP * 2).astype(np.float64)
    levels: Levels = 10 * np.log10(np.mean(hops**2, axis=1) + 1e-20)
    return levels


def amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))
