"""How the local engine speaks with each voice, and which voice a request means."""

from dataclasses import dataclass

from fenta.contracts import voices
from fenta.contracts.voices import Voice
from fenta.generation.providers import InvalidRequest


@dataclass(frozen=True)
class Manner:
    """A voice of espeak-ng: its name, an unhurried pace in its words a minute, pitch and liveliness (0 to 99)."""

    name: str
    words_per_minute: int
    pitch: int
    pitch_range: int


# The engine's voice and pace by language.
_LANGUAGES = {
    "en": ("en-us", 160),
    "fr": ("fr", 150),
    "de": ("de", 155),
    "it": ("it", 158),
    "es": ("es", 160),
    "pt": ("pt-br", 160),
    "nl": ("nl", 160),
    "pl": ("pl", 155),
    "tr": ("tr", 155),
    "ru": ("ru", 155),
    "ar": ("ar", 145),
    "ary": ("ar", 150),
    "hi": ("hi", 155),
    "zh": ("cmn", 160),
}
_GENDERS = {"female": ("+f2", 52, 58), "male": ("+m3", 42, 52)}


def manner_of(voice: Voice) -> Manner:
    name, pace = _LANGUAGES[voice.language]
    variant, pitch, pitch_range = _GENDERS[voice.gender]
    return Manner(name + variant, pace, pitch, pitch_range)


def resolve(voice: str, language: str) -> Voice:
    """The voice asked for; `auto` follows the language. Raises InvalidRequest for what nobody speaks."""
    if voice != "auto":
        found = voices.find_voice(voice)
        if found is None:
            raise InvalidRequest("voice_not_found", f"There is no voice {voice[:80]!r}.", "GET /v1/voices lists them.")
        return found
    spoken = voices.known_language(language)
    if spoken is None:
        raise InvalidRequest(
            "language_unsupported", f"No voice speaks {language[:40]!r} yet.", "GET /v1/voices lists the languages."
        )
    return voices.VOICES[f"{spoken}_female"]
