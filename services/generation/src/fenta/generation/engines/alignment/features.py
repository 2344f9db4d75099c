"""What speech sounds like, whoever speaks: the shape of the spectrum every 10 ms, without pitch, level and room."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Features = NDArray[np.float32]

STEP_MS, WINDOW_MS = 10, 25
BANDS, SHAPES = 30, 13
# So many steps are transformed at once: an hour in one piece would take gigabytes.
BLOCK = 6000
LOWEST_HERTZ, HIGHEST_HERTZ = 100.0, 7000.0
# Below this share of the loudest moments a band holds noise alone.
FLOOR = 3e-4


def features(sound: Sound, rate: int) -> Features:
    """A row per step: mel cepstra with their slopes, each with mean 0 and deviation 1 over the sound."""
    bands = np.log(_without_noise(_bands(sound, rate)))
    shapes = bands @ _cosines()
    # How loud a moment is says less of the word than how its spectrum is shaped.
    shapes[:, 0] *= 0.7
    moving = _normal(np.hstack([shapes, _slopes(shapes)]))
    moving[:, SHAPES:] *= 0.8
    return np.asarray(moving, np.float32)


def loud(sound: Sound, rate: int) -> NDArray[np.bool_]:
    """For each step whether somebody speaks."""
    level = np.log(_bands(sound, rate).sum(axis=1) + 1e-9)
    quiet, high = np.percentile(level, [5, 95])
    return np.asarray(level > quiet + 0.35 * (high - quiet))


def _bands(sound: Sound, rate: int) -> NDArray[np.float64]:
    """Energy in mel bands, a row per step."""
    step, window = rate * STEP_MS // 1000, rate * WINDOW_MS // 1000
    padded = np.pad(np.diff(sound, prepend=0.0) + 0.03 * sound, (window // 2, window))
    count = max(1, len(sound) // step)
    rows = np.lib.stride_tricks.sliding_window_view(padded, window)[: count * step : step]
    size = 1 << (window - 1).bit_length()
    blocks = (rows[first : first + BLOCK] * np.hanning(window) for first in range(0, count, BLOCK))
    return np.concatenate([np.abs(np.fft.rfft(block, size)) ** 2 @ _mel(size, rate) for block in blocks])


def _without_noise(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is always there is taken away, so that silence is alike in a quiet room and in a loud one."""
    noise = np.percentile(bands, 8, axis=0)
    floor = FLOOR * np.percentile(bands, 98, axis=0) + 1e-12
    return np.asarray(np.maximum(bands - 1.5 * noise, floor))


@lru_cache
def _mel(size: int, rate: int) -> NDArray[np.float64]:
    """Triangles, evenly spaced as the ear hears."""
    highest = min(HIGHEST_HERTZ, 0.48 * rate)
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_HERTZ, highest))
    centres = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(size, 1 / rate)[:, None]
    rising = (hertz - centres[:-2]) / (centres[1:-1] - centres[:-2])
    falling = (centres[2:] - hertz) / (centres[2:] - centres[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None))


@lru_cache
def _cosines() -> NDArray[np.float64]:
    places = (np.arange(BANDS) + 0.5) / BANDS
    return np.asarray(np.cos(np.pi * places[:, None] * np.arange(SHAPES)))


def _slopes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    around = np.pad(rows, ((3, 3), (0, 0)), mode="edge")
    return np.asarray(
        sum(way * (around[3 + way : len(rows) + 3 + way] - around[3 - way : len(rows) + 3 - way]) for way in (1, 2, 3))
    )


def _normal(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6))
