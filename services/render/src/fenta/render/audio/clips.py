"""One clip's own sound, as long as the clip: trimmed, looped without a seam, followed by silence, with soft edges."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import AudioClip, Keyframe
from fenta.render.audio.samples import HOP, MUTE_DB, RATE, Recording, Samples, amplitude, silence, unreadable
from fenta.render.compose.curves import value_at

EDGE_MS = 8
# A loop's end sounds on into its next beginning for so long.
SEAM = RATE // 20
# An envelope is read at this distance; what lies between two readings is a straight line.
READING_MS = 10


@dataclass(frozen=True)
class Heard:
    """A clip and its recording. Positions are moments at 48 kHz from the clip's start."""

    clip: AudioClip
    recording: Recording

    @property
    def start(self) -> int:
        """In the film."""
        return self.clip.start_ms * RATE // 1000

    @property
    def length(self) -> int:
        return self.clip.duration_ms * RATE // 1000

    def part(self, first: int, last: int) -> Samples:
        """The moments `[first, last)` with all that the clip says of its loudness."""
        gain = amplitude(self.clip.gain_db) * self._fades(first, last)
        if self.clip.envelope:
            gain = gain * _envelope(self.clip.envelope, first, last)
        return self._raw(first, last) * gain[:, None].astype(np.float32)

    def _fades(self, first: int, last: int) -> NDArray[np.float64]:
        into, out = (
            min(self.length, max(EDGE_MS, time) * RATE // 1000)
            for time in (self.clip.fade_in_ms, self.clip.fade_out_ms)
        )
        at = np.arange(first, last)
        rising, falling = at / max(1, into - 1), (self.length - 1 - at) / max(1, out - 1)
        fades: NDArray[np.float64] = np.clip(np.minimum(rising, 1) * np.minimum(falling, 1), 0, 1)
        return fades

    # --- where in the recording ---

    @cached_property
    def _span(self) -> tuple[int, int]:
        """What is used of the recording."""
        first, last = self.clip.in_ms * RATE // 1000, self.recording.length
        if first >= last:
            raise unreadable(self.clip.id)
        return self._loud(first, last) if self.clip.trim_silence else (first, last)

    def _loud(self, first: int, last: int) -> tuple[int, int]:
        """From the first to the last 10 ms in which something is heard."""
        loud = np.flatnonzero(self.recording.levels()[first // HOP :] > MUTE_DB)
        if len(loud) == 0:
            return first, last
        return first + int(loud[0]) * HOP, min(last, first + int(loud[-1] + 1) * HOP)

    def _raw(self, first: int, last: int) -> Samples:
        return self._looped(first, last) if self.clip.loop else self._straight(first, last)

    def _straight(self, first: int, last: int) -> Samples:
        begin, end = self._span
        there = self.recording.part(begin + first, min(end, begin + last))
        return np.concatenate([there, silence(last - first - len(there))])

    def _looped(self, first: int, last: int) -> Samples:
        """Every round but the first begins with what sounds on of the one before."""
        begin, end = self._span
        seam = min(SEAM, (end - begin) // 4)
        period = end - begin - seam
        borders = [first, *range((first // period + 1) * period, last, period), last]
        rounds = [self._round(begin, period, seam, one, other) for one, other in pairwise(borders)]
        return np.concatenate(rounds)

    def _round(self, begin: int, period: int, seam: int, first: int, last: int) -> Samples:
        number, inside = divmod(first, period)
        there = self.recording.part(begin + inside, begin + inside + last - first)
        if number and inside < seam:
            there = there.copy()
            stop = min(seam, inside + last - first)
            tail = self.recording.part(begin + period + inside, begin + period + stop)
            there[: len(tail)] = self._blended(tail, there[: len(tail)], inside, seam)
        return there

    def _blended(self, tail: Samples, head: Samples, inside: int, seam: int) -> Samples:
        angle = (inside + np.arange(len(tail)) + 0.5) / seam * np.pi / 2
        out, into = np.cos(angle), np.sin(angle)
        # What is alike adds up to more than what is not; the level stays the same either way.
        level = np.sqrt(1 + 2 * out * into * self._likeness(seam))
        mixed: Samples = (tail * (out / level)[:, None] + head * (into / level)[:, None]).astype(np.float32)
        return mixed

    def _likeness(self, seam: int) -> float:
        """Of the loop's beginning and of what follows its end: 0 for what is unlike, 1 for the same."""
        begin, end = self._span
        head, tail = self.recording.part(begin, begin + seam), self.recording.part(end - seam, end)
        power = float(np.sqrt(np.sum(head.astype(float) ** 2) * np.sum(tail.astype(float) ** 2)))
        return max(0.0, float(np.sum(head.astype(float) * tail)) / power) if power else 0.0


def _envelope(keyframes: list[Keyframe], first: int, last: int) -> NDArray[np.float64]:
    """The factors of a curve of decibels."""
    step = READING_MS * RATE // 1000
    moments = np.arange(first // step, last // step + 2)
    decibels = [value_at(keyframes, float(moment * READING_MS)) for moment in moments]
    gain: NDArray[np.float64] = 10 ** (np.interp(np.arange(first, last), moments * step, decibels) / 20)
    return gain
