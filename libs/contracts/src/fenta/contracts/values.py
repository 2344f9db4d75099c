"""Values that travel between steps: inline, or a reference to an asset and its digest; never bytes."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fenta.contracts.digest import digest_of

INLINE_TYPES = frozenset({"text", "number", "boolean", "voice"})


class Contract(BaseModel):
    """What crosses a border. Readers ignore what they do not know; writers only add optional fields."""

    # Most texts of ours are ids: to look whether one was there before takes longer than to make it.
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, cache_strings="none")


class Item(Contract):
    """One entry of a document that can be fanned out, such as a scene of a script.

    `characters` is the length of its narration, so that its speech can be priced without reading it.
    """

    key: str
    sha256: str
    characters: int | None = None


class Value(Contract):
    """What an output port holds.

    Inline types carry `value`; all others name an asset and the SHA-256 of its bytes. `key` selects one item of
    a document: `sha256` is then the digest of that item, so that an edit changes one fingerprint, and
    `document_sha256` finds the document's bytes. `items` lists what an `each` edge can open.
    """

    type: str
    asset_id: str | None = None
    sha256: str
    key: str | None = None
    document_sha256: str | None = None
    items: list[Item] | None = None
    value: Any = None

    def item(self, item: Item) -> "Value":
        return Value(
            type="scene", asset_id=self.asset_id, sha256=item.sha256, key=item.key, document_sha256=self.sha256
        )


class KeyedValue(Contract):
    """An entry of a list port."""

    key: str
    value: Value


PortValue = Value | list[KeyedValue]


def inline(type_: str, value: Any) -> Value:
    """A value small enough to travel itself. `type_` is one of `INLINE_TYPES` or a document given as JSON."""
    return Value(type=type_, sha256=digest_of(value), value=value)


class Lineage(Contract):
    """How an asset came to be."""

    fingerprint: str | None = None
    inputs: list[str] = Field(default_factory=list)
    provider: str
    model: str
    provider_task_id: str | None = None
    chain_position: int = 0
    seed: int | None = None
    licence: str | None = None
    author: str | None = None
    synthetic: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)


class Asset(Contract):
    """An immutable file or document of one organisation."""

    asset_id: str
    kind: str
    media_type: str
    sha256: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    storage_key: str
    lineage: Lineage


def storage_key(org_id: str, sha256: str) -> str:
    """Where the bytes lie in object storage; anyone who knows both may presign without asking the owner."""
    return f"{org_id}/{sha256[:2]}/{sha256}"
