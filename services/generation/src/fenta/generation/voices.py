"""The voices there are: id, language, gender and how the engine is to speak."""

from typing import Literal

from fenta.contracts.values import Contract
from fenta.generation.providers import InvalidRequest

Gender = Literal["female", "male"]


class Voice(Contract):
    """A stock voice. `engine_voice`, pace and pitch are the local engine's; they are not shown outside."""

    id: str
    label: str
    language: str
    gender: Gender
    engine_voice: str
    words_per_minute: int
    pitch: int
    pitch_range: int


# Language, its name, the engine's voice and an unhurried pace in its words a minute.
_LANGUAGES: tuple[tuple[str, str, str, int], ...] = (
    ("en", "English", "en-us", 160),
    ("fr", "Français", "fr", 150),
    ("de", "Deutsch", "de", 155),
    ("it", "Italiano", "it", 158),
    ("es", "Español", "es", 160),
    ("pt", "Português", "pt-br", 160),
    ("nl", "Nederlands", "nl", 160),
    ("pl", "Polski", "pl", 155),
    ("tr", "Türkçe", "tr", 155),
    ("ru", "Русский", "ru", 155),
    ("ar", "العربية", "ar", 145),
    ("ary", "الدارجة", "ar", 150),
    ("hi", "हिन्दी", "hi", 155),
    ("zh", "中文", "cmn", 160),
)
_GENDERS: tuple[tuple[Gender, str, int, int], ...] = (("female", "+f2", 52, 58), ("male", "+m3", 42, 52))

VOICES: dict[str, Voice] = {
    voice.id: voice
    for voice in (
        Voice(
            id=f"{language}_{gender}",
            label=f"{name}, {gender}",
            language=language,
            gender=gender,
            engine_voice=base + variant,
            words_per_minute=pace,
            pitch=pitch,
            pitch_range=pitch_range,
        )
        for language, name, base, pace in _LANGUAGES
        for gender, variant, pitch, pitch_range in _GENDERS
    )
}

ALIASES = {"darija": "ary_male"}
_SYNONYMS = {"darija": "ary", "cmn": "zh", "ar-ma": "ary"}


def known_language(tag: str) -> str | None:
    """The language of a BCP 47 tag that some voice speaks: `pt-BR` is `pt`, `ar-MA` is `ary`."""
    lowered = tag.strip().casefold().replace("_", "-")
    for name in (lowered, lowered.split("-", 1)[0]):
        found = _SYNONYMS.get(name, name)
        if any(voice.language == found for voice in VOICES.values()):
            return found
    return None


def resolve(voice: str, language: str) -> Voice:
    """The voice asked for; `auto` follows the language. Raises InvalidRequest for what nobody speaks."""
    if voice != "auto":
        found = VOICES.get(ALIASES.get(voice, voice))
        if found is None:
            raise InvalidRequest("voice_not_found", f"There is no voice {voice[:80]!r}.", "GET /v1/voices lists them.")
        return found
    spoken = known_language(language)
    if spoken is None:
        raise InvalidRequest(
            "language_unsupported", f"No voice speaks {language[:40]!r} yet.", "GET /v1/voices lists the languages."
        )
    return VOICES[f"{spoken}_female"]
