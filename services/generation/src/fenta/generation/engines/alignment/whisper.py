"""Recognised speech, by faster-whisper: an extra (`fenta-generation[whisper]`) and a folder with a model."""

import difflib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fenta.contracts.documents import Word
from fenta.generation.engines.alignment.features import Sound
from fenta.generation.engines.alignment.hearing import RATE
from fenta.generation.engines.speech import words
from fenta.generation.providers import EngineBroken


@dataclass(frozen=True)
class Recognised:
    """What was said, in which language, and when each word."""

    text: str
    language: str
    words: list[Word]


class Whisper:
    """Recognises speech, and aligns a known text to what it recognises. `folder` holds a model of CTranslate2."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recognise(self, sound: Sound, language: str | None = None) -> Recognised:
        """`sound` has 16 kHz; a language that is not given is found out. Raises EngineBroken without extra or model."""
        segments, about = _model(self._folder).transcribe(
            sound,
            language=_base(language),
            word_timestamps=True,
            vad_filter=True,
            # One wrong sentence would lead to the next.
            condition_on_previous_text=False,
        )
        found = [
            Word(text=word.word.strip(), start_ms=round(word.start * 1000), end_ms=round(word.end * 1000))
            for segment in segments
            for word in segment.words or ()
            if word.word.strip()
        ]
        return Recognised(" ".join(word.text for word in found), about.language, found)

    def align(self, sound: Sound, rate: int, text: str, language: str) -> list[Word]:
        if rate != RATE:
            raise ValueError(f"recognition hears {RATE} Hz, not {rate}")
        heard = self.recognise(sound, language).words
        duration_ms = round(len(sound) * 1000 / rate)
        return words.timed(text, _anchors(text, heard), duration_ms)


def _anchors(text: str, heard: list[Word]) -> list[tuple[int, int]]:
    """The places in the text of words that were recognised as they are written, and their times."""
    tokens = words.tokens(text)
    matcher = difflib.SequenceMatcher(
        None, [_bare(token.text) for token in tokens], [_bare(word.text) for word in heard], autojunk=False
    )
    return [
        (tokens[block.a + offset].start, heard[block.b + offset].start_ms)
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    ]


def _bare(word: str) -> str:
    """Letters and digits alone."""
    return "".join(character for character in word.casefold() if unicodedata.category(character)[0] in "LNM")


def _base(language: str | None) -> str | None:
    base = language.split("-")[0].lower() if language else None
    # The recogniser knows one Arabic.
    return "ar" if base == "ary" else base


@cache
def _model(folder: Path) -> Any:
    try:
        # An extra, and it takes seconds to load.
        from faster_whisper import WhisperModel  # noqa: PLC0415
    except ImportError as error:
        raise EngineBroken(
            "recogniser_missing", "Speech cannot be recognised here.", "Install fenta-generation[whisper]."
        ) from error
    try:
        return WhisperModel(str(folder), device="auto", compute_type="default", local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineBroken(
            "recogniser_missing", f"The model for speech cannot be loaded: {str(error)[:200]}"
        ) from error
