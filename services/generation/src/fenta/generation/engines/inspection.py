"""Looks into a file as a player would: a picture that cannot be decoded or sound that is not there is found here."""

import wave
from pathlib import Path

from fenta.generation.providers import ProviderFailure
from fenta.generation.providers.products import MadeFile


def inspected(path: Path, file: MadeFile) -> MadeFile:
    """The file with its true measures. Raises ProviderFailure `file_corrupt` for one that nobody could use."""
    return _picture(path, file) if file.kind == "image" else _sound(path, file)


def _picture(path: Path, file: MadeFile) -> MadeFile:
    # Only pictures need it, and it takes a while to load.
    import cv2  # noqa: PLC0415

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None or _is_cut_short(path, file.media_type):
        raise _corrupt(file, "cannot be decoded")
    height, width = picture.shape[:2]
    return file.model_copy(update={"width": int(width), "height": int(height)})


def _is_cut_short(path: Path, media_type: str) -> bool:
    """Decoders fill what is missing with grey and say nothing, so the end mark is looked for."""
    endings = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82"}
    ending = endings.get(media_type)
    return ending is not None and not path.read_bytes().rstrip(b"\0").endswith(ending)


def _sound(path: Path, file: MadeFile) -> MadeFile:
    try:
        with wave.open(str(path)) as sound:
            frames = sound.readframes(sound.getnframes())
            whole = sound.getnframes() * sound.getnchannels() * sound.getsampwidth()
            duration_ms = round(sound.getnframes() * 1000 / sound.getframerate())
    except (wave.Error, EOFError, OSError, ZeroDivisionError) as error:
        raise _corrupt(file, "is not readable sound") from error
    if len(frames) < whole or duration_ms == 0:
        raise _corrupt(file, "ends too early")
    return file.model_copy(update={"duration_ms": duration_ms})


def _corrupt(file: MadeFile, why: str) -> ProviderFailure:
    return ProviderFailure(
        "file_corrupt", f"The provider's {file.kind} file {why}.", "Try again or choose another model."
    )
