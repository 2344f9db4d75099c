"""Models that can do the work, and the chains behind `auto`; a chain is tried in order."""

from typing import Literal

from fenta.contracts.values import Contract

Capability = Literal["text", "speech", "image", "music"]


class Model(Contract):
    """One model of one provider. `credits` is what one output takes from the balance, where credits are its unit."""

    id: str
    label: str
    provider: str
    capability: Capability
    credits: int = 0
    licence: str = "generated"


MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        Model(id="local-writer", label="Template writer", provider="local", capability="text"),
        Model(id="local-espeak", label="eSpeak NG speech", provider="local", capability="speech"),
        Model(id="local-pictures", label="Procedural pictures", provider="local", capability="image", credits=4),
        Model(id="local-music", label="Procedural music", provider="local", capability="music", credits=4),
    )
}

AUTO: dict[Capability, list[str]] = {
    "text": ["local-writer"],
    "speech": ["local-espeak"],
    "image": ["local-pictures"],
    "music": ["local-music"],
}


def chain(capability: Capability, wanted: list[str]) -> list[str]:
    """Freeze a chain: `auto` becomes the catalogue's. Raises KeyError naming the first unknown or unfit model."""
    frozen: list[str] = []
    for name in wanted:
        frozen += AUTO[capability] if name == "auto" else [_fitting(capability, name)]
    return list(dict.fromkeys(frozen))


def _fitting(capability: Capability, name: str) -> str:
    model = MODELS.get(name)
    if model is None or model.capability != capability:
        raise KeyError(name)
    return name
