"""Sound: voices at their places, music that steps back under them, brought to a loudness and encoded once.

A film may last long, so its sound is worked off in blocks; what is kept of all of it is its level every 10 ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fenta.contracts.nodes import AudioFormat
from fenta.render.audio import mastering
from fenta.render.audio.mastering import loudness_report
from fenta.render.audio.mixing import mix
from fenta.render.audio.samples import RATE
from fenta.render.timeline import FramePlan, audible

__all__ = ["RATE", "Sound", "loudness_report", "render_sound"]


@dataclass(frozen=True)
class Sound:
    """The finished sound and what was measured of it; `mute` names the voice clips in which nothing is heard."""

    file: str | None
    loudness_lufs: float | None
    true_peak_db: float | None
    silent_ms: int
    mute: tuple[str, ...]


def render_sound(
    plan: FramePlan, sources: Mapping[str, Path], folder: Path, formats: Sequence[AudioFormat] = ()
) -> Sound:
    """Mix and encode everything that is heard, also into `audio.<format>`. A film without sound has no file."""
    if not audible(plan.timeline):
        return Sound(None, None, None, 0, ())
    mixed = mix(plan, sources, folder, plan.frames * RATE // plan.fps)
    lufs, peak = mastering.master(mixed.length, plan.timeline.loudness, folder, formats)
    return Sound(mastering.FILM_SOUND, lufs, peak, mixed.silent_ms, mixed.mute)
