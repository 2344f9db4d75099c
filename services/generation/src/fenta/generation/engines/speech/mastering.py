"""Makes synthetic speech pleasant: tone, a little room, an even level."""

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

TARGET_RMS_DB = -20.0
# Hertz and decibels: no rumble, some warmth, presence for the consonants, and less of the synthetic fizz above.
TONE = [
    (0, -60),
    (50, -36),
    (85, -3),
    (140, 1.5),
    (260, 2.0),
    (600, 0),
    (1800, 0.5),
    (3200, 2.0),
    (5200, -1.0),
    (7500, -5),
    (11025, -12),
]
ROOM_SECONDS = 0.11
ROOM_LEVEL = 0.055
STEP_MS = 10
QUIET_DB = -38.0
TAIL_MS = 120
# An hour in one transform would take gigabytes.
BLOCK_SECONDS = 60


def samples(sound: bytes | bytearray) -> Sound:
    """16-bit little-endian sound as floats from -1 to 1."""
    return np.frombuffer(bytes(sound), "<i2").astype(np.float32) / np.float32(32768)


def trimmed(sound: Sound, rate: int) -> Sound:
    """Without the silence at the end, but for a short tail."""
    loud = np.flatnonzero(np.abs(sound) > 10 ** (QUIET_DB / 20) * max(float(np.abs(sound).max(initial=0)), 1e-6))
    last = int(loud[-1]) if loud.size else 0
    return sound[: min(len(sound), last + rate * TAIL_MS // 1000)]


def loud_steps(sound: Sound, rate: int) -> list[bool]:
    """Whether anything is heard, for every step of 10 ms."""
    size = rate * STEP_MS // 1000
    padded = np.pad(sound, (0, -len(sound) % size)).reshape(-1, size)
    level = np.sqrt((padded**2).mean(axis=1))
    threshold = 10 ** (QUIET_DB / 20) * max(float(level.max(initial=0)), 1e-6)
    return [bool(step) for step in level > threshold]


def mastered(sound: Sound, rate: int) -> Sound:
    """The same length and timing, but nicer to hear."""
    block, context = rate * BLOCK_SECONDS, rate // 2
    parts = [_voiced(sound, start, start + block, context, rate) for start in range(0, len(sound), block)]
    return _levelled(np.concatenate(parts))


def _voiced(sound: Sound, start: int, end: int, context: int, rate: int) -> Sound:
    """One block, worked on together with what stands around it, so that no border is heard."""
    before = min(start, context)
    part = sound[start - before : end + context]
    return _with_room(_toned(part, rate), rate)[before : before + end - start]


def _toned(sound: Sound, rate: int) -> Sound:
    size = _comfortable(len(sound) + rate // 4)
    spectrum = np.fft.rfft(sound, size)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    gains = np.interp(hertz, [place for place, _ in TONE], [gain for _, gain in TONE])
    shaped = np.fft.irfft(spectrum * 10 ** (gains / 20), size)[: len(sound)]
    return np.asarray(shaped, np.float32)


def _with_room(sound: Sound, rate: int) -> Sound:
    length = int(rate * ROOM_SECONDS)
    decay = np.exp(-np.arange(length) / (length / 5))
    room = np.random.default_rng(7).standard_normal(length) * decay
    room[: rate // 125] = 0
    size = _comfortable(len(sound) + length)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size), size)[: len(sound)]
    return sound + (wet * ROOM_LEVEL).astype(np.float32)


def _levelled(sound: Sound) -> Sound:
    audible = sound[np.abs(sound) > 1e-3]
    rms = float(np.sqrt((audible**2).mean())) if audible.size else 1.0
    louder = sound * np.float32(10 ** (TARGET_RMS_DB / 20) * 1.25 / max(rms, 1e-4))
    return np.asarray(np.tanh(louder * 1.1) / np.float32(1.1), np.float32)


def _comfortable(size: int) -> int:
    # A power of two keeps the transform quick for any length.
    return 1 << (max(2, size) - 1).bit_length()


def as_bytes(sound: Sound) -> bytes:
    """Floats as 16-bit little-endian sound."""
    return (np.clip(sound, -1, 1) * 32767).round().astype("<i2").tobytes()
