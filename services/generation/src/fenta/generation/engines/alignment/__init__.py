"""When each word of a known text is said in a sound; by comparing it with our own speech, or by recognising it."""

from typing import Protocol

from fenta.contracts.documents import Word
from fenta.generation.engines.alignment.features import Sound


class Aligner(Protocol):
    """`sound` is mono; words come with their punctuation, all of them, in order, in the sound's own time."""

    def align(self, sound: Sound, rate: int, text: str, language: str) -> list[Word]: ...
