"""The speech engine: espeak-ng's voice, mastered, with the exact time of every word."""

import wave
from pathlib import Path
from typing import Any

from fenta.contracts.voices import Voice, known_language
from fenta.generation.engines.cleaning import cleaned
from fenta.generation.engines.speech import mastering, words
from fenta.generation.engines.speech.espeak import EspeakError, Utterance, opened
from fenta.generation.providers import InvalidRequest, ProviderFailure
from fenta.generation.providers.products import MadeFile, Product
from fenta.generation.providers.requests import SpeechRequest
from fenta.generation.voices import manner_of, resolve

LONGEST_TEXT = 40_000
FILE_NAME = "speech.wav"


def make(request: SpeechRequest, folder: Path) -> Product:
    """Speak a text into a WAV file."""
    text = _speakable(request.text)
    voice = resolve(request.voice, request.language)
    utterance = _spoken(text, voice, request.speed)
    rate = utterance.sample_rate
    raw = mastering.trimmed(mastering.samples(utterance.sound), rate)
    if not raw.size:
        raise InvalidRequest("text_silent", "The text has nothing that can be spoken.")
    _write(folder / FILE_NAME, mastering.as_bytes(mastering.mastered(raw, rate)), rate)
    return _product(request, voice, _speech(text, utterance, raw, request, voice))


def _speech(
    text: str, utterance: Utterance, raw: mastering.Sound, request: SpeechRequest, voice: Voice
) -> dict[str, Any]:
    """The speech document, but for its audio."""
    rate = utterance.sample_rate
    duration_ms = round(len(raw) * 1000 / rate)
    heard = words.timed(text, utterance.words, duration_ms)
    exact = words.without_pauses(heard, mastering.loud_steps(raw, rate), mastering.STEP_MS)
    return {
        "text": text,
        "words": [word.model_dump() for word in exact],
        "language": known_language(request.language) or voice.language,
        "voice": voice.id,
        "duration_ms": duration_ms,
        "sample_rate": rate,
    }


def _speakable(text: str) -> str:
    plain = cleaned(text)
    if len(plain) > LONGEST_TEXT:
        raise InvalidRequest("text_too_long", f"The text has more than {LONGEST_TEXT} characters.")
    if not words.tokens(plain):
        raise InvalidRequest("text_silent", "The text has nothing that can be spoken.", "Give at least one word.")
    return plain


def _spoken(text: str, voice: Voice, speed: float) -> Utterance:
    manner = manner_of(voice)
    pace = round(manner.words_per_minute * speed)
    try:
        with opened() as espeak:
            return espeak.say(
                words.readable(text),
                manner.name,
                words_per_minute=pace,
                pitch=manner.pitch,
                pitch_range=manner.pitch_range,
            )
    except EspeakError as error:
        raise ProviderFailure("speech_failed", f"The voice {voice.id} could not speak: {error}.") from error


def _write(path: Path, sound: bytes, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound)


def _product(request: SpeechRequest, voice: Voice, document: dict[str, Any]) -> Product:
    file = MadeFile(name=FILE_NAME, kind="audio", media_type="audio/wav", duration_ms=document["duration_ms"])
    return Product(
        files=(file,),
        document=document,
        parameters={"voice": voice.id, "speed": request.speed, "characters": len(document["text"])},
    )
