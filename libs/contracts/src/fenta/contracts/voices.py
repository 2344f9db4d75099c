"""Languages and voices that every installation has; clones and a provider's own voices come on top of these."""

from typing import Literal

from fenta.contracts.values import Contract

Gender = Literal["female", "male"]

LANGUAGES: dict[str, str] = {
    "en": "English",
    "fr": "Français",
    "de": "Deutsch",
    "it": "Italiano",
    "es": "Español",
    "pt": "Português",
    "nl": "Nederlands",
    "pl": "Polski",
    "tr": "Türkçe",
    "ru": "Русский",
    "ar": "العربية",
    "ary": "الدارجة",
    "hi": "हिन्दी",
    "zh": "中文",
}
# What the template writer can put into sentences.
WRITTEN = frozenset({"en", "fr", "de", "it", "ar", "ary"})
GENDERS: tuple[Gender, ...] = ("female", "male")
ALIASES = {"darija": "ary_male"}
_SYNONYMS = {"darija": "ary", "cmn": "zh", "ar-ma": "ary"}


class Voice(Contract):
    id: str
    label: str
    language: str
    gender: Gender


VOICES: dict[str, Voice] = {
    f"{language}_{gender}": Voice(
        id=f"{language}_{gender}", label=f"{name}, {gender}", language=language, gender=gender
    )
    for language, name in LANGUAGES.items()
    for gender in GENDERS
}


def known_language(tag: str) -> str | None:
    """The language of a BCP 47 tag that some voice speaks: `pt-BR` is `pt`, `ar-MA` is `ary`; None for others."""
    lowered = tag.strip().casefold().replace("_", "-")
    for name in (lowered, lowered.split("-", 1)[0]):
        found = _SYNONYMS.get(name, name)
        if found in LANGUAGES:
            return found
    return None


def find_voice(name: str) -> Voice | None:
    return VOICES.get(ALIASES.get(name, name))
