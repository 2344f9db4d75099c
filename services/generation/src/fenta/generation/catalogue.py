"""What can be asked for: models with their limits and prices, voices with their languages."""

from typing import Any, Literal

from pydantic import Field

from fenta.contracts.models import MODELS, Capability, Model
from fenta.contracts.values import Contract
from fenta.contracts.voices import ALIASES, VOICES, WRITTEN, Voice, known_language

_UNITS: dict[Capability, str] = {
    "text": "llm_tokens",
    "speech": "tts_characters",
    "image": "kai_credits",
    "music": "kai_credits",
}
_LIMITS: dict[str, dict[str, Any]] = {
    "local-writer": {"topic_characters": 2000, "points": 20, "max_seconds": 3600, "knows_facts": False},
    "local-espeak": {"characters": 40_000, "min_speed": 0.7, "max_speed": 1.3},
    "local-pictures": {"min_pixels": 256, "max_pixels": 4096, "variations": 4},
    "local-music": {"min_seconds": 5, "max_seconds": 120},
}


class ModelPrice(Contract):
    """What one output takes: credits where `unit` counts outputs; otherwise the unit is measured."""

    unit: str
    each: int | None = None


class ModelEntry(Contract):
    id: str
    label: str
    provider: str
    capability: Capability
    languages: list[str] | None = None
    limits: dict[str, Any]
    price: ModelPrice
    available: bool = True
    reason: str | None = None


class VoiceEntry(Contract):
    id: str
    label: str
    language: str
    gender: Literal["female", "male"]
    kind: Literal["stock", "clone"] = "stock"
    provider: str = "local"
    model: str = "local-espeak"
    aliases: list[str] = Field(default_factory=list)
    sample_url: str | None = None


def models(capability: Capability | None = None) -> list[ModelEntry]:
    return [_model(model) for model in MODELS.values() if capability in (None, model.capability)]


def voices(language: str | None = None, kind: str | None = None) -> list[VoiceEntry]:
    """Voices of a language (BCP 47, so `fr-CA` finds `fr`); an unknown language has none."""
    wanted = known_language(language) if language else None
    if kind == "clone" or (language and wanted is None):
        return []
    return [_voice(voice) for voice in VOICES.values() if wanted in (None, voice.language)]


def _model(model: Model) -> ModelEntry:
    return ModelEntry(
        id=model.id,
        label=model.label,
        provider=model.provider,
        capability=model.capability,
        languages=_languages(model),
        limits=_LIMITS.get(model.id, {}),
        price=ModelPrice(unit=_UNITS[model.capability], each=model.credits or None),
        available=model.provider == "local",
        reason=None if model.provider == "local" else "No key for this provider.",
    )


def _languages(model: Model) -> list[str] | None:
    if model.capability == "text":
        return sorted(WRITTEN)
    return sorted({voice.language for voice in VOICES.values()}) if model.capability == "speech" else None


def _voice(voice: Voice) -> VoiceEntry:
    return VoiceEntry(
        id=voice.id,
        label=voice.label,
        language=voice.language,
        gender=voice.gender,
        aliases=[alias for alias, name in ALIASES.items() if name == voice.id],
    )
