"""The mix: voices at one level, music that steps back under them, effects, and what clips of film say themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import AssetSource, AudioClip, AudioTrack, Duck
from fenta.render.audio.clips import Heard
from fenta.render.audio.samples import (
    BLOCK,
    HOP,
    MUTE_DB,
    Levels,
    Recording,
    Samples,
    amplitude,
    decode,
    hop_levels,
    silence,
)
from fenta.render.timeline import FramePlan, Shot, sounds

# Voices and music come at any level; both start from this one, so that the gains of the timeline mean something.
LEVEL_DB = -20.0
SPEAKING_DB = -44.0
HOLD_HOPS = 25
MIX = "mix.f32"

Gain = NDArray[np.float64]


@dataclass(frozen=True)
class Mixed:
    """What was written into `mix.f32`: moments in all, the longest silence, and the voice clips that say nothing."""

    length: int
    silent_ms: int
    mute: tuple[str, ...]


def mix(plan: FramePlan, sources: Mapping[str, Path], folder: Path, length: int) -> Mixed:
    """Write everything that is heard into the folder, as 32 bit floats of two channels."""
    shelf = Shelf(sources, folder)
    voice, mute = voices(sounds(plan.timeline), shelf, length)
    beds = [bed(track, shelf, voice) for track in sounds(plan.timeline) if track.role != "voice" and track.clips]
    buses = [voice, *beds, own_sound(plan, shelf, length)]
    levels = []
    with (folder / MIX).open("wb") as file:
        for first, last in _blocks(length):
            block = sum((bus.part(first, last) for bus in buses), silence(last - first))
            levels.append(hop_levels(block))
            file.write(block.tobytes())
    shelf.clear()
    return Mixed(length, _longest_silence_ms(np.concatenate(levels)), mute)


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    return ((first, min(length, first + BLOCK)) for first in range(0, length, BLOCK))


class Shelf:
    """Recordings, each decoded once."""

    def __init__(self, sources: Mapping[str, Path], folder: Path) -> None:
        self._sources, self._folder = sources, folder
        self._there: dict[tuple[str, float], Recording] = {}

    def heard(self, clip: AudioClip) -> Heard:
        """Raises RenderRefused `source_invalid`."""
        key = clip.source.sha256, clip.speed
        if key not in self._there:
            file = self._folder / f"sound-{len(self._there)}.f32"
            self._there[key] = decode(self._sources[key[0]], file, clip.id, clip.speed)
        return Heard(clip, self._there[key])

    def clear(self) -> None:
        for number in range(len(self._there)):
            (self._folder / f"sound-{number}.f32").unlink()


@dataclass(frozen=True)
class Bus:
    """Clips that sound together, made louder or quieter as one; `gain` has a factor for every 10 ms, if it changes."""

    heard: Sequence[Heard]
    length: int
    level: float = 1.0
    gain: Gain | None = None

    def part(self, first: int, last: int) -> Samples:
        """The moments `[first, last)` of the film."""
        bus = silence(last - first)
        for clip in self.heard:
            begin, end = max(first, clip.start), min(last, clip.start + clip.length)
            if begin < end:
                bus[begin - first : end - first] += clip.part(begin - clip.start, end - clip.start)
        return bus * self._gains(first, last)

    def _gains(self, first: int, last: int) -> Samples:
        if self.gain is None:
            return np.full((1, 1), self.level, np.float32)
        middles = np.arange(len(self.gain)) * HOP + HOP / 2
        factors = np.interp(np.arange(first, last), middles, self.gain) * self.level
        return factors[:, None].astype(np.float32)

    def levels(self) -> Levels:
        """In dB, every 10 ms."""
        return np.concatenate([hop_levels(self.part(first, last)) for first, last in _blocks(self.length)])


def voices(tracks: Sequence[AudioTrack], shelf: Shelf, length: int) -> tuple[Bus, tuple[str, ...]]:
    """All that is said, at the common level, and the clips in which nothing is heard."""
    clips = [clip for track in tracks if track.role == "voice" for clip in _louder(track)]
    heard = [shelf.heard(clip) for clip in clips]
    mute = tuple(one.clip.id for one in heard if _is_mute(one))
    return _levelled(Bus(heard, length)), mute


def bed(track: AudioTrack, shelf: Shelf, voice: Bus) -> Bus:
    """Music or effects: at their level, and lower while somebody speaks."""
    bus = Bus([shelf.heard(clip) for clip in track.clips], voice.length)
    level = (_levelled(bus) if track.role == "music" else bus).level * amplitude(track.gain_db)
    return Bus(bus.heard, bus.length, level, ducking(voice.levels(), track.duck) if track.duck else None)


def own_sound(plan: FramePlan, shelf: Shelf, length: int) -> Bus:
    """What clips of film say themselves, where they are asked to; it fades as their pictures do."""
    shots = [shot for shot in (*plan.shots, *plan.over) if shot.clip.gain_db is not None]
    return Bus([shelf.heard(_sound_of(shot, plan.fps)) for shot in shots], length)


def _sound_of(shot: Shot, fps: int) -> AudioClip:
    clip = shot.clip
    if not isinstance(clip.source, AssetSource):
        raise TypeError("only films are asked for their sound")
    start, fade, tail = (round(frames * 1000 / fps) for frames in (shot.first, shot.fade, shot.tail))
    return AudioClip(
        id=clip.id,
        start_ms=start,
        duration_ms=round(shot.length * 1000 / fps),
        in_ms=round(clip.in_ms / clip.speed),
        speed=clip.speed,
        source=clip.source,
        gain_db=clip.gain_db or 0,
        fade_in_ms=max(fade, clip.fade_in_ms),
        fade_out_ms=max(tail, clip.fade_out_ms),
    )


def _louder(track: AudioTrack) -> list[AudioClip]:
    return [clip.model_copy(update={"gain_db": clip.gain_db + track.gain_db}) for clip in track.clips]


def _is_mute(heard: Heard) -> bool:
    levels = Bus([heard], heard.start + heard.length).levels()[heard.start // HOP :]
    return bool(np.mean(10 ** (levels / 10)) < 10 ** (MUTE_DB / 10)) if len(levels) else True


def ducking(voice: Levels, duck: Duck) -> Gain:
    """The factor by which a track steps back, every 10 ms, because of what is said at the moment."""
    speaking = _held(voice > SPEAKING_DB)
    falling, rising = (abs(duck.db) * 10 / max(10, time) for time in (duck.attack_ms, duck.release_ms))
    level, levels = 0.0, []
    for speaks in speaking:
        level = max(duck.db, level - falling) if speaks else min(0.0, level + rising)
        levels.append(level)
    gain: Gain = 10 ** (np.array(levels) / 20)
    return gain


def _held(speaking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pauses between words are no silence: the music would pump."""
    held = speaking.copy()
    for shift in range(1, HOLD_HOPS):
        held[shift:] |= speaking[:-shift]
    # It steps back just before the first syllable rather than over it.
    held[:-2] |= speaking[2:]
    return held


def _levelled(bus: Bus) -> Bus:
    """Brought to the common level, measured where there is something to hear."""
    levels = bus.levels()
    active = levels[levels > max(MUTE_DB, levels.max(initial=-200) - 30)]
    if len(active) == 0:
        return bus
    level = 10 * np.log10(float(np.mean(10 ** (active / 10))))
    return Bus(bus.heard, bus.length, amplitude(LEVEL_DB - level))


def _longest_silence_ms(levels: Levels) -> int:
    runs = (len(list(run)) for silent, run in groupby(levels < MUTE_DB) if silent)
    return max(runs, default=0) * 10
