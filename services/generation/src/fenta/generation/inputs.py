"""Reads what enters a step: inline values, documents, single items of documents."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from fenta.chassis.errors import NotFound, PermanentError
from fenta.contracts.documents import DOCUMENTS, Script, Storyboard
from fenta.contracts.values import PortValue, Value
from fenta.generation.providers import InvalidRequest

Ports = dict[str, Any]
FindDocument = Callable[[str, str], Awaitable[str | None]]


class Reading(Protocol):
    """The part of object storage that is needed here."""

    async def get(self, org_id: str, sha256: str) -> bytes: ...

    async def fetch(self, org_id: str, sha256: str, path: Path) -> Path: ...


class Inputs:
    """The ports of one organisation's steps as plain JSON, ready for references."""

    def __init__(self, storage: Reading, find_document: FindDocument) -> None:
        self._storage = storage
        self._find_document = find_document

    async def read(self, org_id: str, inputs: dict[str, PortValue]) -> Ports:
        """Documents and items in full, inline values as they are; media and lists are left out: nobody reads them.

        Raises InvalidRequest for what is gone or is not what it says.
        """
        found = {name: await self._value(org_id, value) for name, value in inputs.items() if isinstance(value, Value)}
        return {name: value for name, value in found.items() if value is not None}

    async def sound(self, org_id: str, sha256: str, path: Path) -> Path:
        """A copy of a recording. Raises InvalidRequest where it is gone."""
        try:
            return await self._storage.fetch(org_id, sha256, path)
        except (NotFound, PermanentError) as error:
            raise InvalidRequest("input_missing", f"The sound {sha256[:12]} cannot be read: {error}") from error

    async def _value(self, org_id: str, value: Value) -> Any:
        if value.value is not None or value.asset_id is None:
            return value.value
        if value.key is not None:
            return await self._item(org_id, value)
        return await self._document(org_id, value.sha256) if value.type in DOCUMENTS else None

    async def _item(self, org_id: str, value: Value) -> Any:
        document = await self._document(org_id, await self._sha256_of_whole(org_id, value))
        kind = Storyboard if "shots" in document else Script
        try:
            scenes = kind.model_validate(document).scenes()
        except ValidationError as error:
            raise InvalidRequest("input_invalid", f"The document of {value.key} cannot be read.") from error
        scene = next((scene for scene in scenes if scene.key == value.key), None)
        if scene is None:
            raise InvalidRequest("input_missing", f"The document has no scene {value.key}.")
        return scene.model_dump(mode="json")

    async def _sha256_of_whole(self, org_id: str, value: Value) -> str:
        """An item names its document by asset id, and may also carry the document's hash."""
        carried = getattr(value, "document_sha256", None)
        sha256 = carried or await self._find_document(org_id, value.asset_id or "")
        if sha256 is None:
            raise InvalidRequest("input_missing", f"The document {value.asset_id} is not known.")
        return str(sha256)

    async def _document(self, org_id: str, sha256: str) -> Any:
        try:
            return json.loads(await self._storage.get(org_id, sha256))
        except (NotFound, PermanentError) as error:
            raise InvalidRequest("input_missing", f"The document {sha256[:12]} cannot be read: {error}") from error
