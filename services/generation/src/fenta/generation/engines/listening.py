"""Listens to a recording: when each word of its text is said, or, where nobody knows the text, what is said."""

from pathlib import Path

from fenta.generation.engines.alignment import Aligner, hearing
from fenta.generation.engines.alignment.spoken import SpokenAligner, speaks
from fenta.generation.engines.alignment.whisper import Whisper
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.products import Heard


def listen(path: Path, text: str, language: str | None, recogniser: Path | None) -> Heard:
    """`recogniser` is the folder of a model for what has no text. Raises InvalidRequest, EngineBroken."""
    sound = hearing.heard(path)
    duration_ms = round(len(sound) * 1000 / hearing.RATE)
    if text.strip():
        spoken = language or "en"
        words = _aligner(spoken, recogniser).align(sound, hearing.RATE, text, spoken)
        return Heard(text=text, language=spoken, words=words, duration_ms=duration_ms)
    if recogniser is None:
        raise InvalidRequest(
            "recogniser_missing", "Speech without its text cannot be recognised here.", "Give the text, or a model."
        )
    found = Whisper(recogniser).recognise(sound, language)
    if not found.words:
        raise InvalidRequest("speech_missing", "Nothing that is said was recognised in the sound.")
    return Heard(text=found.text, language=found.language, words=found.words, duration_ms=duration_ms)


def _aligner(language: str, recogniser: Path | None) -> Aligner:
    """Comparing is more exact than recognising, where there is a voice to compare with."""
    return Whisper(recogniser) if recogniser and not speaks(language) else SpokenAligner()
