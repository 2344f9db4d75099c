"""The aligner that needs no model: it says the text itself, where it knows every word's time, and warps that time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fenta.contracts.documents import Word
from fenta.contracts.voices import known_language
from fenta.generation.engines.alignment.features import STEP_MS, Features, Sound, features, loud
from fenta.generation.engines.alignment.warping import warped
from fenta.generation.engines.speech import mastering, words
from fenta.generation.engines.speech.espeak import EspeakError, opened
from fenta.generation.voices import manner_of, resolve


@dataclass(frozen=True)
class Spoken:
    """Our own speech of a text: its sound and the time of each word."""

    sound: Sound
    rate: int
    words: list[Word]


class SpokenAligner:
    """Dynamic time warping of speech features against espeak-ng's speech of the same text."""

    def align(self, sound: Sound, rate: int, text: str, language: str) -> list[Word]:
        duration_ms = round(len(sound) * 1000 / rate)
        try:
            spoken = _spoken(text, language)
        except EspeakError:
            # A language that the engine does not speak: words share the time by their length.
            return words.timed(text, [], duration_ms)
        if not spoken.words:
            return []
        starts = _starts(sound, rate, spoken)
        ends = [*starts[1:], duration_ms]
        timed = [
            word.model_copy(update={"start_ms": min(start, duration_ms), "end_ms": min(max(start, end), duration_ms)})
            for word, start, end in zip(spoken.words, starts, ends, strict=True)
        ]
        return words.without_pauses(timed, [bool(step) for step in loud(sound, rate)], STEP_MS)


def speaks(language: str) -> bool:
    """Whether there is a voice whose speech can be compared."""
    return known_language(language) is not None


def _spoken(text: str, language: str) -> Spoken:
    if not speaks(language):
        raise EspeakError(f"no voice speaks {language}")
    manner = manner_of(resolve("auto", language))
    with opened() as espeak:
        said = espeak.say(
            words.readable(text),
            manner.name,
            words_per_minute=manner.words_per_minute,
            pitch=manner.pitch,
            pitch_range=manner.pitch_range,
        )
    sound = mastering.trimmed(mastering.samples(said.sound), said.sample_rate)
    duration_ms = round(len(sound) * 1000 / said.sample_rate)
    return Spoken(sound, said.sample_rate, words.timed(text, said.words, duration_ms))


def _starts(sound: Sound, rate: int, spoken: Spoken) -> list[int]:
    heard, said = features(sound, rate), features(spoken.sound, spoken.rate)
    begins = [min(len(said) - 1, round(word.start_ms / STEP_MS)) for word in spoken.words]
    model, places = _with_pauses(said, begins, _silence(heard, loud(sound, rate)))
    path = warped(heard, model)
    return [int(step) * STEP_MS for step in np.searchsorted(path, places)]


def _with_pauses(said: Features, begins: list[int], silence: Features) -> tuple[Features, list[int]]:
    """A step of silence before each word and after the last, in which a speaker may stay as long as he likes."""
    model = np.vstack([np.insert(said, begins, silence, axis=0), silence])
    return model.astype(np.float32), [begin + number for number, begin in enumerate(begins, start=1)]


def _silence(heard: Features, is_loud: NDArray[np.bool_]) -> Features:
    quiet = heard[~is_loud]
    return np.asarray(quiet.mean(axis=0) if len(quiet) else heard.min(axis=0))
