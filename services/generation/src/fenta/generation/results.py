"""From what a provider made to what the event says: documents, assets, output values, usage."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from fenta.contracts import documents, ids
from fenta.contracts.events import GenerationRequested, UsageLine
from fenta.contracts.nodes import CATALOGUE
from fenta.contracts.values import Asset, Contract, KeyedValue, Lineage, PortValue, Value, storage_key
from fenta.generation.providers.products import MadeFile, Product

LONGEST_PARAMETER = 500


class Result(BaseModel):
    """All that the answer says, ready to be stored between the upload and the answer."""

    outputs: dict[str, PortValue]
    assets: list[Asset]
    usage: list[UsageLine] = []
    documents: dict[str, str] = {}


class Writing(Protocol):
    """The part of object storage that is needed here."""

    async def put(self, org_id: str, data: bytes, *, media_type: str) -> str: ...

    async def put_file(self, org_id: str, path: Path, *, media_type: str) -> str: ...


@dataclass
class Packing:
    """Uploads what one step made, and names it. Repeating it stores the same bytes under the same names."""

    event: GenerationRequested
    storage: Writing
    lineage: Lineage
    assets: list[Asset] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)

    async def pack(self, product: Product, folder: Path, usage: dict[str, int]) -> Result:
        outputs = await self._outputs(product, folder)
        lines = [
            UsageLine(usage_id=ids.usage_id(self.event.step_id, unit), unit=unit, quantity=quantity)
            for unit, quantity in usage.items()
        ]
        return Result(outputs=outputs, assets=self.assets, usage=lines, documents=self.documents)

    async def _outputs(self, product: Product, folder: Path) -> dict[str, PortValue]:
        ports = [port.name for port in CATALOGUE[self.event.node_type].outputs]
        if product.document is None:
            media = [await self._file(file, folder, ports[0], index) for index, file in enumerate(product.files)]
            first = media[0]
        else:
            first = await self._document(product, folder, ports[0])
            media = [first]
        values: list[Any] = [KeyedValue(key=str(index), value=value) for index, value in enumerate(media)]
        return {ports[0]: first} | dict.fromkeys(ports[1:], values)

    async def _document(self, product: Product, folder: Path, port: str) -> Value:
        """The document comes first among the assets, the audio it speaks of after it."""
        kind = CATALOGUE[self.event.node_type].outputs[0].type
        content = dict(product.document or {})
        for index, file in enumerate(product.files, start=1):
            value = await self._file(file, folder, port, index)
            content["audio"] = {"asset_id": value.asset_id, "sha256": value.sha256}
        document: Contract = documents.DOCUMENTS[kind].model_validate(content)
        return await self._stored(document, kind, port)

    async def _stored(self, document: Contract, kind: str, port: str) -> Value:
        data = documents.encode(document)
        media_type = documents.media_type_of(kind)
        sha256 = await self.storage.put(self.event.org_id, data, media_type=media_type)
        duration_ms = getattr(document, "duration_ms", None)
        asset = self._asset(port, 0, sha256, len(data), MadeDocument(kind, media_type, duration_ms))
        self.assets.insert(0, asset)
        self.documents[asset.asset_id] = sha256
        return Value(type=kind, asset_id=asset.asset_id, sha256=sha256, items=documents.items_of(document))

    async def _file(self, file: MadeFile, folder: Path, port: str, index: int) -> Value:
        path = folder / file.name
        sha256 = await self.storage.put_file(self.event.org_id, path, media_type=file.media_type)
        asset = self._asset(port, index, sha256, path.stat().st_size, file)
        self.assets.append(asset)
        return Value(type=file.kind, asset_id=asset.asset_id, sha256=sha256)

    def _asset(self, port: str, index: int, sha256: str, size_bytes: int, what: "MadeFile | MadeDocument") -> Asset:
        return Asset(
            asset_id=ids.asset_id(self.event.step_id, port, index),
            kind=what.kind,
            media_type=what.media_type,
            sha256=sha256,
            size_bytes=size_bytes,
            width=what.width,
            height=what.height,
            duration_ms=what.duration_ms,
            storage_key=storage_key(self.event.org_id, sha256),
            lineage=self.lineage,
        )


@dataclass(frozen=True)
class MadeDocument:
    """A document, described as a file is."""

    kind: str
    media_type: str
    duration_ms: int | None
    width: int | None = None
    height: int | None = None


def input_assets(event: GenerationRequested) -> list[str]:
    """The assets that went in, each once."""
    values = [
        entry
        for value in event.inputs.values()
        for entry in ([keyed.value for keyed in value] if isinstance(value, list) else [value])
    ]
    return list(dict.fromkeys(value.asset_id for value in values if value.asset_id))


def short(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters for the lineage; long texts stay where they are."""
    return {name: value[:LONGEST_PARAMETER] if isinstance(value, str) else value for name, value in parameters.items()}
