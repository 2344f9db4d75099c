"""The mix brought to the wanted loudness, and encoded: measured, lifted, limited, and lifted once more by what the
limiter took. The report measures what was encoded."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from fenta.contracts.nodes import AudioFormat
from fenta.contracts.timeline import Loudness
from fenta.render import programs
from fenta.render.audio.mixing import MIX
from fenta.render.audio.samples import RATE, amplitude

FILM_SOUND = "sound.m4a"
LARGEST_GAIN_DB = 20.0
QUIETEST_LUFS = -70.0
# Below, the meter has heard nothing at all.
SILENT_LUFS = -69
_EXACT = {"ar": RATE, "ac": 2, "flags:a": "+bitexact", "fflags": "+bitexact"}
_AAC = {"c:a": "aac", "b:a": "192k", **_EXACT}
_FORMATS: Mapping[AudioFormat, dict[str, Any]] = {
    "m4a": {**_AAC, "movflags": "+faststart"},
    "mp3": {"c:a": "libmp3lame", "b:a": "192k", "id3v2_version": 0, **_EXACT},
    "wav": {"c:a": "pcm_s16le", **_EXACT},
}


def master(
    samples: int, wanted: Loudness, folder: Path, formats: Sequence[AudioFormat] = ()
) -> tuple[float | None, float | None]:
    """Encode the mix of a folder for the film, and beside it in these formats; returns its loudness and true peak."""
    found, _ = measured(programs.run(_measuring(), folder=folder))
    if found is None or found < SILENT_LUFS:
        return measured(programs.run(_mastering(samples, 0.0, wanted, formats), folder=folder))
    gain = min(LARGEST_GAIN_DB, wanted.lufs - found)
    result = measured(programs.run(_mastering(samples, gain, wanted, formats), folder=folder))
    short = wanted.lufs - result[0] if result[0] is not None else 0.0
    if abs(short) > 0.15:
        lifted = gain + min(3.0, short)
        result = measured(programs.run(_mastering(samples, lifted, wanted, formats), folder=folder))
    return result


def _input() -> Any:
    return ffmpeg.input(MIX, extra_options={"f": "f32le", "ar": RATE, "ac": 2}).audio


def _meter(stream: Any, framelog: str = "quiet") -> Any:
    # Named, because the library knows only the meter's optional picture as its output.
    return ffmpeg.afilter(stream, name="ebur128", peak="true", framelog=framelog)


def _measuring() -> list[str]:
    return _quiet(ffmpeg.output(_meter(_input()), filename="-", extra_options={"f": "null"}))


def _mastering(samples: int, gain_db: float, wanted: Loudness, formats: Sequence[AudioFormat]) -> list[str]:
    # Peaks between the samples are only seen at four times the rate, and AAC adds a little: half a dB is kept for it.
    limit = amplitude(wanted.true_peak_db - 0.5)
    stream = (
        _input()
        .apad(pad_dur=2)
        .volume(volume=f"{gain_db:.3f}dB")
        .aresample(extra_options={"out_sample_rate": 4 * RATE})
    )
    stream = stream.alimiter(limit=f"{limit:.6f}", level=False, attack=5, release=50, latency=True)
    stream = stream.aresample(extra_options={"out_sample_rate": RATE}).atrim(end_sample=samples)
    files = {FILM_SOUND: _AAC, **{f"audio.{name}": _FORMATS[name] for name in formats}}
    ways = _meter(stream).asplit(outputs=len(files)) if len(files) > 1 else None
    outputs = [
        ffmpeg.output(ways.audio(number) if ways else _meter(stream), filename=name, extra_options=options)
        for number, (name, options) in enumerate(files.items())
    ]
    return _quiet(ffmpeg.merge_outputs(*outputs))


def _quiet(output: Any) -> list[str]:
    options = {"hide_banner": True, "nostats": True, "nostdin": True, "filter_threads": 1}
    command: list[str] = output.global_args(extra_options=options).compile(cmd="ffmpeg", overwrite_output=True)
    return command[1:]


def measured(report: str) -> tuple[float | None, float | None]:
    """Integrated loudness and true peak from what `ebur128` prints at the end."""
    loudness = re.findall(r"\bI:\s+(-?[\d.]+) LUFS", report)
    peak = re.findall(r"\bPeak:\s+(-?[\d.]+) dBFS", report)
    return (float(loudness[-1]) if loudness else None), (float(peak[-1]) if peak else None)


# --- the report -------------------------------------------------------------------------------------------------------


def loudness_report(wanted: Loudness, folder: Path) -> dict[str, Any]:
    """What a meter after EBU R128 says of the film's encoded sound; `short_term_lufs` has a value for every second."""
    film = _meter(ffmpeg.input(FILM_SOUND).audio, framelog="info")
    said = programs.run(_quiet(ffmpeg.output(film, filename="-", extra_options={"f": "null"})), folder=folder)
    loudness, peak = measured(said)
    ranges = re.findall(r"\bLRA:\s+(-?[\d.]+) LU\b", said)
    moments = [tuple(map(float, found)) for found in re.findall(r"\bM:\s*(-?[\d.]+)\s+S:\s*(-?[\d.]+)", said)]
    return {
        "schema": "fenta.loudness/1",
        "standard": "EBU R128",
        "target": {"integrated_lufs": wanted.lufs, "true_peak_dbtp": wanted.true_peak_db},
        "integrated_lufs": loudness,
        "true_peak_dbtp": peak,
        "range_lu": float(ranges[-1]) if ranges else None,
        "loudest_momentary_lufs": max((momentary for momentary, _ in moments), default=None),
        "loudest_short_term_lufs": max((short for _, short in moments), default=None),
        # The meter speaks ten times a second.
        "short_term_lufs": [max(QUIETEST_LUFS, short) for _, short in moments[9::10]],
    }
