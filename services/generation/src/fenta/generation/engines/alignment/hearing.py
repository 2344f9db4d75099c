"""Sound files of any usual kind as numbers: one channel, 16 kHz."""

from pathlib import Path

import av
import numpy as np

from fenta.generation.engines.alignment.features import Sound
from fenta.generation.providers import InvalidRequest

RATE = 16_000
LONGEST_SECONDS = 1800
# What a file is, by its first bytes: opened as that, it can name no other file.
_KINDS = (
    (b"RIFF", "wav"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf3", "mp3"), (b"OggS", "ogg"),
    (b"fLaC", "flac"), (b"\x1aE\xdf\xa3", "matroska"), (b"\xff\xf1", "aac"), (b"\xff\xf9", "aac"),
)  # fmt: skip


def heard(path: Path) -> Sound:
    """Raises InvalidRequest `audio_unreadable` or `audio_too_long`."""
    try:
        with av.open(str(path), format=_kind(path), options={"protocol_whitelist": "file"}) as container:
            return _samples(container)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise InvalidRequest(
            "audio_unreadable", "The sound cannot be read.", "Give WAV, MP3, M4A, OGG or FLAC."
        ) from error


def _samples(container: av.container.InputContainer) -> Sound:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[Sound] = []
    length = 0
    for frame in container.decode(container.streams.audio[0]):
        for part in resampler.resample(frame):
            parts.append(part.to_ndarray()[0])
            length += part.samples
        if length > LONGEST_SECONDS * RATE:
            raise InvalidRequest("audio_too_long", f"The sound is longer than {LONGEST_SECONDS // 60} minutes.")
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    if not length:
        raise InvalidRequest("audio_unreadable", "The file has no sound.")
    return np.concatenate(parts)


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "mov"
    kind = next((kind for begin, kind in _KINDS if head.startswith(begin)), None)
    if kind is None:
        raise InvalidRequest("audio_unreadable", "The file is no sound that is known here.")
    return kind
