"""Sounds made of numbers: a table of one wave, an envelope, and notes that wrap around the end of the piece."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Sound = NDArray[np.float32]
_TABLE = 4096


def wave_table(harmonics: list[float]) -> Sound:
    """One period of a tone, by the strength of its harmonics."""
    phase = np.arange(_TABLE, dtype=np.float32) * np.float32(2 * np.pi / _TABLE)
    table = sum(strength * np.sin(phase * (number + 1)) for number, strength in enumerate(harmonics))
    return np.asarray(table / np.abs(table).max(), np.float32)


WARM = wave_table([1, 0.55, 0.34, 0.22, 0.15, 0.1, 0.07, 0.05, 0.035, 0.025])
GLASS = wave_table([1, 0.16, 0.0, 0.3, 0.0, 0.1, 0.0, 0.04])
ROUND = wave_table([1, 0.42, 0.16, 0.07, 0.03])
STRINGS = wave_table([1 / (number + 1) ** 1.15 for number in range(14)])


def hertz(note: float) -> float:
    """The frequency of a MIDI note number."""
    return float(440 * 2 ** ((note - 69) / 12))


def tone(table: Sound, note: float, seconds: float, detune_cents: float = 0.0, phase: float = 0.0) -> Sound:
    steps = np.arange(int(seconds * RATE), dtype=np.float64) * (hertz(note + detune_cents / 100) * _TABLE / RATE)
    places = (steps + phase * _TABLE).astype(np.int64) & (_TABLE - 1)
    return np.asarray(table[places], np.float32)


def swell(length: int, attack_seconds: float, release_seconds: float) -> Sound:
    """Up gently, hold, down gently."""
    attack, release = (min(length // 2, int(seconds * RATE)) for seconds in (attack_seconds, release_seconds))
    shape = np.ones(length, np.float32)
    shape[:attack] = np.sin(np.linspace(0, np.pi / 2, attack, dtype=np.float32)) ** 2
    shape[length - release :] = np.cos(np.linspace(0, np.pi / 2, release, dtype=np.float32)) ** 2
    return shape


def struck(length: int, decay_seconds: float, attack_seconds: float = 0.004) -> Sound:
    """At once, then fading."""
    time = np.arange(length, dtype=np.float32) / RATE
    shape = np.exp(-time / np.float32(decay_seconds)) * np.clip(time / np.float32(attack_seconds), 0, 1)
    return shape * swell(length, 0, 0.02)


@dataclass
class Tape:
    """The stereo piece; what runs over its end comes in again at its beginning, so that it loops without a seam."""

    length: int
    left: Sound = field(init=False)
    right: Sound = field(init=False)

    def __post_init__(self) -> None:
        self.left = np.zeros(self.length, np.float32)
        self.right = np.zeros(self.length, np.float32)

    def put(self, at_seconds: float, sound: Sound, gain: float, pan: float = 0.0) -> None:
        """Add a sound; `pan` goes from -1 (left) to 1."""
        first = round(at_seconds * RATE) % self.length
        angle = (pan + 1) * np.pi / 4
        for channel, share in ((self.left, np.cos(angle)), (self.right, np.sin(angle))):
            _wrap(channel, first, sound * np.float32(gain * share * 1.4142))


def _wrap(channel: Sound, first: int, sound: Sound) -> None:
    while len(sound):
        part = sound[: len(channel) - first]
        channel[first : first + len(part)] += part
        sound, first = sound[len(part) :], 0


def kick() -> Sound:
    time = np.arange(int(0.28 * RATE), dtype=np.float32) / RATE
    sweep = np.cumsum(46 + 90 * np.exp(-time / 0.03)) / RATE
    return (np.sin(2 * np.pi * sweep) * np.exp(-time / 0.1) * np.clip(time / 0.002, 0, 1)).astype(np.float32)


def drum() -> Sound:
    """A large, low drum."""
    time = np.arange(int(0.9 * RATE), dtype=np.float32) / RATE
    sweep = np.cumsum(58 + 50 * np.exp(-time / 0.05)) / RATE
    return (np.sin(2 * np.pi * sweep) * np.exp(-time / 0.28) * np.clip(time / 0.003, 0, 1)).astype(np.float32)


def shaker(random: np.random.Generator, seconds: float = 0.07, decay_seconds: float = 0.02) -> Sound:
    noise = random.standard_normal(int(seconds * RATE)).astype(np.float32)
    bright = np.diff(np.diff(noise, prepend=0), prepend=0) * np.float32(0.25)
    return (bright * struck(len(bright), decay_seconds, 0.006)).astype(np.float32)


def clap(random: np.random.Generator) -> Sound:
    noise = random.standard_normal(int(0.16 * RATE)).astype(np.float32)
    body = np.convolve(np.diff(noise, prepend=0), np.ones(6, np.float32) / 6, "same")
    return (body * struck(len(body), 0.045, 0.001)).astype(np.float32)


def riser(random: np.random.Generator, seconds: float) -> Sound:
    """A breath of air that grows."""
    noise = random.standard_normal(int(seconds * RATE)).astype(np.float32)
    soft = np.convolve(noise, np.hanning(48).astype(np.float32) / 24, "same")
    grow = np.linspace(0, 1, len(soft), dtype=np.float32) ** 2.5
    return (soft * grow * swell(len(soft), 0, 0.08)).astype(np.float32)
