"""Use cases of the library: take in what was made, list it, find it, hand out links."""

from collections.abc import Sequence
from typing import Any

from fenta.chassis import paging
from fenta.chassis.database import Database, Session
from fenta.chassis.errors import NotFound
from fenta.chassis.messages import Message
from fenta.chassis.storage import Storage
from fenta.contracts.events import AssetGenerated, RenderCompleted
from fenta.contracts.ids import ID_PATTERN
from fenta.contracts.values import Asset
from fenta.gateway.models import LibraryAsset
from fenta.gateway.repository import library

DOCUMENT_TYPE = "application/vnd.fenta."
SUBTITLE_TYPES = frozenset({"text/vtt", "application/x-subrip", "text/x-ssa"})
ENDINGS = {
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4", "audio/wav": "wav",
    "audio/x-wav": "wav", "audio/flac": "flac", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/mp4": "m4a",
    "text/vtt": "vtt", "application/x-subrip": "srt", "text/x-ssa": "ass", "text/plain": "txt",
}  # fmt: skip


class Assets:
    def __init__(self, *, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def take_in(self, session: Session, messages: Sequence[Message[AssetGenerated | RenderCompleted]]) -> None:
        """Every asset of these events stands in the library, once."""
        await library.add_assets(session, [row for message in messages for row in _rows(message.event)])

    async def get(self, org_id: str, asset_id: str) -> LibraryAsset:
        """Raises NotFound, for another organisation's as for none."""
        if not ID_PATTERN.match(asset_id):
            raise NotFound("asset")
        async with self._database.api_transaction(org_id) as session:
            asset = await library.find_asset(session, asset_id)
        if asset is None:
            raise NotFound("asset")
        return asset

    async def list(
        self, org_id: str, *, type: str | None, job_id: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[LibraryAsset], str | None]:
        """One page, newest first, and the cursor of the next. Raises `cursor_invalid`."""
        filters = {"type": type, "job_id": job_id}
        before = paging.behind(cursor, filters, paging.time_and_id)
        async with self._database.api_transaction(org_id) as session:
            found = await library.list_assets(session, org_id, **filters, before=before, rows=limit + 1)
        return paging.cut(found, limit, filters, _place)

    def link(self, asset: LibraryAsset, *, seconds: int, attachment: bool = False) -> str:
        filename = asset.name if attachment else None
        return self._storage.link(asset.org_id, asset.sha256, seconds=seconds, filename=filename)


def _place(asset: LibraryAsset) -> str:
    return paging.written_time_and_id(asset.created_at, asset.id)


def _rows(event: AssetGenerated | RenderCompleted) -> list[LibraryAsset]:
    source = "render" if isinstance(event, RenderCompleted) else "generated"
    return [_row(event, asset, source) for asset in event.assets]


def _row(event: Any, asset: Asset, source: str) -> LibraryAsset:
    return LibraryAsset(
        id=asset.asset_id,
        org_id=event.org_id,
        project_id=event.project_id,
        job_id=event.job_id,
        step_id=event.step_id,
        name=_name(event.step_key, asset),
        type=type_of(asset.media_type),
        kind=asset.kind,
        source=source,
        content_type=asset.media_type,
        size_bytes=asset.size_bytes,
        sha256=asset.sha256,
        width=asset.width,
        height=asset.height,
        duration_ms=asset.duration_ms,
        lineage=asset.lineage.model_dump(mode="json"),
        created_at=event.completed_at,
    )


def type_of(media_type: str) -> str:
    """The word of the public interface: image video audio subtitle font document other."""
    family = media_type.partition("/")[0]
    if family in ("image", "video", "audio", "font"):
        return family
    if media_type.partition(";")[0] in SUBTITLE_TYPES:
        return "subtitle"
    document = media_type.startswith((DOCUMENT_TYPE, "text/", "application/json", "application/pdf"))
    return "document" if document else "other"


def _name(step_key: str, asset: Asset) -> str:
    """A file name that says where it comes from; only characters that every file system takes."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in step_key).strip("-")
    media_type = asset.media_type.partition(";")[0]
    ending = ENDINGS.get(media_type, "json" if media_type.endswith("json") else "bin")
    return f"{plain or 'asset'}-{asset.kind}.{ending}"
