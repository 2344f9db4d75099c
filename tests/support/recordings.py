"""Speech whose words are known to the millisecond, as a stranger would record it."""

import numpy as np

from fenta.contracts.documents import Word
from fenta.generation.engines.alignment import Aligner
from fenta.generation.engines.alignment.features import Sound
from fenta.generation.engines.speech import mastering, words
from fenta.generation.engines.speech.espeak import opened

TEXTS = {
    "en": "Octopuses have three hearts, and two of them stop beating when they swim. That is why they crawl.",
    "fr": "Les pieuvres ont trois cœurs, dont deux s'arrêtent quand elles nagent au fond de la mer.",
    "ar": "للأخطبوط ثلاثة قلوب، ويتوقف اثنان منها عند السباحة. لذلك يفضل الزحف على القاع.",
}
VOICES = {"en": "en-us+m3", "fr": "fr+m7", "ar": "ar+f4"}


def spoken(language: str, *, pace: int = 195, pitch: int = 35) -> tuple[Sound, int, list[Word]]:
    """By a voice that is not the aligner's own, at another speed and pitch, with the truth."""
    with opened() as espeak:
        said = espeak.say(TEXTS[language], VOICES[language], words_per_minute=pace, pitch=pitch, pitch_range=40)
    sound = mastering.trimmed(mastering.samples(said.sound), said.sample_rate)
    return sound, said.sample_rate, words.timed(TEXTS[language], said.words, len(sound) * 1000 // said.sample_rate)


def noisy(sound: Sound, decibels: float = 20) -> Sound:
    noise = np.random.default_rng(5).standard_normal(len(sound)).astype(np.float32)
    return sound + noise * np.float32(np.sqrt((sound**2).mean()) * 10 ** (-decibels / 20))


def with_pauses(sound: Sound, rate: int, truth: list[Word]) -> tuple[Sound, list[int]]:
    """Silence before all, and a second or less of it before every fourth word; and where the words are then."""
    pauses = [700 if number == 0 else 300 * (number % 3 + 1) * (number % 4 == 0) for number in range(len(truth))]
    borders = [word.start_ms * rate // 1000 for word in truth]
    parts = np.split(sound, borders)
    silences = [np.zeros(rate * pause // 1000, np.float32) for pause in pauses]
    joined = [part for pair in zip(silences, parts[1:], strict=True) for part in pair]
    starts = [word.start_ms + sum(pauses[: number + 1]) for number, word in enumerate(truth)]
    return np.concatenate([parts[0], *joined, np.zeros(rate, np.float32)]), starts


def errors(aligner: Aligner, *, pauses: bool) -> list[int]:
    """How far each word is from where it was said, in milliseconds, with 20 dB of noise."""
    found = []
    for language, text in TEXTS.items():
        sound, rate, truth = spoken(language)
        starts = [word.start_ms for word in truth]
        if pauses:
            sound, starts = with_pauses(sound, rate, truth)
        aligned = aligner.align(noisy(sound), rate, text, language)
        assert [word.text for word in aligned] == [word.text for word in truth]
        found += [abs(word.start_ms - start) for word, start in zip(aligned, starts, strict=True)]
    return found
