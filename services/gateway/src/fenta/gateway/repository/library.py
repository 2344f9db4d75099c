"""The asset library."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from fenta.chassis.database import Session
from fenta.gateway.models import LibraryAsset

_ADD = text(
    "INSERT INTO asset (id, org_id, project_id, job_id, step_id, name, type, kind, source, content_type, size_bytes, "
    "sha256, width, height, duration_ms, lineage, created_at) VALUES (:id, :org_id, :project_id, :job_id, :step_id, "
    ":name, :type, :kind, :source, :content_type, :size_bytes, :sha256, :width, :height, :duration_ms, :lineage, "
    ":created_at) ON CONFLICT (id) DO NOTHING"
).bindparams(bindparam("lineage", type_=JSONB))
_FIND = text("SELECT * FROM asset WHERE id = :id")
_LIST = text(
    "SELECT * FROM asset WHERE org_id = :org_id "
    "AND (CAST(:type AS text) IS NULL OR type = :type) AND (CAST(:job_id AS text) IS NULL OR job_id = :job_id) "
    "AND (CAST(:before_at AS timestamptz) IS NULL OR (created_at, id) < (:before_at, CAST(:before_id AS text))) "
    "ORDER BY created_at DESC, id DESC LIMIT :rows"
)


async def add_assets(session: Session, assets: Sequence[LibraryAsset]) -> None:
    """Assets are immutable: one that is there already stays as it is."""
    if assets:
        await session.execute(_ADD, [vars(asset) for asset in assets])


async def find_asset(session: Session, asset_id: str) -> LibraryAsset | None:
    row = (await session.execute(_FIND, {"id": asset_id})).mappings().one_or_none()
    return LibraryAsset(**row) if row else None


async def list_assets(
    session: Session,
    org_id: str,
    *,
    type: str | None,
    job_id: str | None,
    before: tuple[datetime, str] | None,
    rows: int,
) -> list[LibraryAsset]:
    """Newest first; `before` is the place of the last one seen."""
    before_at, before_id = before or (None, None)
    values: dict[str, Any] = {
        "org_id": org_id, "type": type, "job_id": job_id, "before_at": before_at, "before_id": before_id, "rows": rows,
    }  # fmt: skip
    found = await session.execute(_LIST, values)
    return [LibraryAsset(**row) for row in found.mappings()]
