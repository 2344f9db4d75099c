"""Sound: voices at their places, looped music that steps back under them, brought to a loudness and encoded once."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import AudioClip, AudioTrack, Duck, Loudness
from fenta.render import programs, sniffing
from fenta.render.errors import RenderRefused
from fenta.render.timeline import FramePlan, sounds

RATE = 48_000
HOP = RATE // 100
# Voices and music come at any level; both start from this one, so that the gains of the timeline mean something.
LEVEL_DB = -20.0
SPEAKING_DB, MUTE_DB = -44.0, -60.0
HOLD_HOPS = 25
EDGE_MS = 8
LARGEST_GAIN_DB = 20.0

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """The finished sound and what was measured of it; `mute` names the voice clips in which nothing is heard."""

    file: str | None
    loudness_lufs: float | None
    true_peak_db: float | None
    silent_ms: int
    mute: tuple[str, ...]


def render_sound(plan: FramePlan, sources: Mapping[str, Path], folder: Path) -> Sound:
    """Mix and encode everything that is heard. A film without sound has no file."""
    tracks = [track for track in sounds(plan.timeline) if track.clips]
    if not tracks:
        return Sound(None, None, None, 0, ())
    length = plan.frames * RATE // plan.fps
    voice, mute = voices(tracks, sources, length)
    mixed = voice + sum((bed(track, sources, voice) for track in tracks if track.role != "voice"), _silence(length))
    lufs, peak = _mastered(mixed, plan.timeline.loudness, folder)
    return Sound("sound.m4a", lufs, peak, _longest_silence_ms(mixed), mute)


# --- mixing -----------------------------------------------------------------------------------------------------------


def voices(tracks: list[AudioTrack], sources: Mapping[str, Path], length: int) -> tuple[Samples, tuple[str, ...]]:
    """All that is said, at the common level, and the clips in which nothing is heard."""
    bus, mute = _silence(length), []
    for track in (track for track in tracks if track.role == "voice"):
        for clip in track.clips:
            heard = _clip(clip, sources, length)
            if _decibels(float(np.sqrt(np.mean(heard**2)))) < MUTE_DB:
                mute.append(clip.id)
            _place(bus, clip, heard, track.gain_db)
    return _levelled(bus), tuple(mute)


def bed(track: AudioTrack, sources: Mapping[str, Path], voice: Samples) -> Samples:
    """Music or effects: at their level, and lower while somebody speaks."""
    bus = _silence(len(voice))
    for clip in track.clips:
        _place(bus, clip, _clip(clip, sources, len(voice)), 0.0)
    louder = _levelled(bus) if track.role == "music" else bus
    gain = _amplitude(track.gain_db) * (ducking(voice, track.duck) if track.duck else np.ones(len(voice)))
    quieter: Samples = (louder * gain[:, None]).astype(np.float32)
    return quieter


def ducking(voice: Samples, duck: Duck) -> NDArray[np.float64]:
    """The factor by which a track steps back, sample by sample, because of what is said at the moment."""
    speaking = _held(_hop_levels(voice) > SPEAKING_DB)
    falling, rising = (abs(duck.db) * 10 / max(10, time) for time in (duck.attack_ms, duck.release_ms))
    level, levels = 0.0, []
    for speaks in speaking:
        level = max(duck.db, level - falling) if speaks else min(0.0, level + rising)
        levels.append(level)
    middles = np.arange(len(levels)) * HOP + HOP / 2
    gain: NDArray[np.float64] = 10 ** (np.interp(np.arange(len(voice)), middles, levels) / 20)
    return gain


def _held(speaking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pauses between words are no silence: the music would pump."""
    held = speaking.copy()
    for shift in range(1, HOLD_HOPS):
        held[shift:] |= speaking[:-shift]
    # It steps back just before the first syllable rather than over it.
    held[:-2] |= speaking[2:]
    return held


def _place(bus: Samples, clip: AudioClip, heard: Samples, gain_db: float) -> None:
    start = clip.start_ms * RATE // 1000
    room = max(0, min(len(heard), len(bus) - start))
    bus[start : start + room] += heard[:room] * _amplitude(clip.gain_db + gain_db)


def _clip(clip: AudioClip, sources: Mapping[str, Path], longest: int) -> Samples:
    """A clip's own sound, as long as the clip: cut, looped or followed by silence, with soft edges."""
    length = min(longest, clip.duration_ms * RATE // 1000)
    heard = decode(sources[clip.source.sha256], clip.id)[clip.in_ms * RATE // 1000 :]
    if len(heard) == 0:
        raise _unreadable(clip.id)
    repeats = -(-length // len(heard)) if clip.loop else 1
    fitted = np.tile(heard, (repeats, 1))[:length]
    return _faded(fitted, clip)


def _faded(heard: Samples, clip: AudioClip) -> Samples:
    ramps = [min(len(heard), max(EDGE_MS, time) * RATE // 1000) for time in (clip.fade_in_ms, clip.fade_out_ms)]
    gain = np.ones(len(heard), np.float32)
    gain[: ramps[0]] *= np.linspace(0, 1, ramps[0], dtype=np.float32)
    gain[len(gain) - ramps[1] :] *= np.linspace(1, 0, ramps[1], dtype=np.float32)
    return heard * gain[:, None]


def decode(path: Path, clip_id: str) -> Samples:
    """Stereo samples at 48 kHz. Raises RenderRefused `source_invalid` when there is no sound in the file."""
    kind = sniffing.demuxer(path, clip_id)
    try:
        with av.open(str(path), format=kind, options={"protocol_whitelist": sniffing.PROTOCOLS}) as container:
            return _resampled(container)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise _unreadable(clip_id) from error


def _resampled(container: Any) -> Samples:
    stream = container.streams.audio[0]
    # One channel goes to both sides as it is; the mixing table of the library would lower it.
    layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
    resampler = av.AudioResampler(format="flt", layout=layout, rate=RATE)
    blocks = [block for frame in container.decode(stream) for block in resampler.resample(frame)]
    blocks += resampler.resample(None)
    flat = np.concatenate([block.to_ndarray().reshape(-1) for block in blocks])
    channels = flat.reshape(-1, 1 if layout == "mono" else 2)
    return np.ascontiguousarray(np.broadcast_to(channels, (len(channels), 2)), np.float32)


def _unreadable(clip_id: str) -> RenderRefused:
    return RenderRefused("source_invalid", f"The sound of clip {clip_id} cannot be read.", "Replace it and try again.")


# --- levels -----------------------------------------------------------------------------------------------------------


def _silence(length: int) -> Samples:
    return np.zeros((length, 2), np.float32)


def _levelled(bus: Samples) -> Samples:
    """Brought to the common level, measured where there is something to hear."""
    levels = _hop_levels(bus)
    active = levels[levels > max(MUTE_DB, levels.max(initial=-200) - 30)]
    if len(active) == 0:
        return bus
    level = 10 * math.log10(float(np.mean(10 ** (active / 10))))
    return bus * np.float32(_amplitude(LEVEL_DB - level))


def _hop_levels(samples: Samples) -> NDArray[np.float64]:
    """RMS level in dB of every 10 ms."""
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP * 2).astype(np.float64)
    levels: NDArray[np.float64] = 10 * np.log10(np.mean(hops**2, axis=1) + 1e-20)
    return levels


def _longest_silence_ms(mixed: Samples) -> int:
    longest = current = 0
    for silent in _hop_levels(mixed) < MUTE_DB:
        current = current + 1 if silent else 0
        longest = max(longest, current)
    return longest * 10


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude + 1e-10)


# --- loudness ---------------------------------------------------------------------------------------------------------


def _mastered(mixed: Samples, wanted: Loudness, folder: Path) -> tuple[float | None, float | None]:
    """Encode at the wanted loudness: measured, lifted, limited, and lifted once more by what the limiter took."""
    (folder / "mix.f32").write_bytes(mixed.tobytes())
    found, _ = measured(programs.run(_measuring(), folder=folder))
    if found is None or found < -69:
        return measured(programs.run(_mastering(len(mixed), 0.0, wanted), folder=folder))
    gain = min(LARGEST_GAIN_DB, wanted.lufs - found)
    result = measured(programs.run(_mastering(len(mixed), gain, wanted), folder=folder))
    short = wanted.lufs - result[0] if result[0] is not None else 0.0
    if abs(short) > 0.15:
        result = measured(programs.run(_mastering(len(mixed), gain + min(3.0, short), wanted), folder=folder))
    return result


def _input() -> Any:
    return ffmpeg.input("mix.f32", extra_options={"f": "f32le", "ar": RATE, "ac": 2}).audio


def _meter(stream: Any) -> Any:
    # Named, because the library knows only the meter's optional picture as its output.
    return ffmpeg.afilter(stream, name="ebur128", peak="true", framelog="quiet")


def _measuring() -> list[str]:
    return _quiet(ffmpeg.output(_meter(_input()), filename="-", extra_options={"f": "null"}))


def _mastering(samples: int, gain_db: float, wanted: Loudness) -> list[str]:
    # Peaks between the samples are only seen at four times the rate, and AAC adds a little: half a dB is kept for it.
    limit = _amplitude(wanted.true_peak_db - 0.5)
    stream = (
        _input()
        .apad(pad_dur=2)
        .volume(volume=f"{gain_db:.3f}dB")
        .aresample(extra_options={"out_sample_rate": 4 * RATE})
    )
    stream = stream.alimiter(limit=f"{limit:.6f}", level=False, attack=5, release=50, latency=True)
    stream = stream.aresample(extra_options={"out_sample_rate": RATE}).atrim(end_sample=samples)
    options = {"c:a": "aac", "b:a": "192k", "ar": RATE, "ac": 2, "flags:a": "+bitexact", "fflags": "+bitexact"}
    return _quiet(ffmpeg.output(_meter(stream), filename="sound.m4a", extra_options=options))


def _quiet(output: Any) -> list[str]:
    options = {"hide_banner": True, "nostats": True, "nostdin": True, "filter_threads": 1}
    command: list[str] = output.global_args(extra_options=options).compile(cmd="ffmpeg", overwrite_output=True)
    return command[1:]


def measured(report: str) -> tuple[float | None, float | None]:
    """Integrated loudness and true peak from what `ebur128` prints at the end."""
    loudness = re.findall(r"\bI:\s+(-?[\d.]+) LUFS", report)
    peak = re.findall(r"\bPeak:\s+(-?[\d.]+) dBFS", report)
    return (float(loudness[-1]) if loudness else None), (float(peak[-1]) if peak else None)
