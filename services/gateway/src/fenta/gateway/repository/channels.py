"""Live channels: rows that number their messages."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from fenta.chassis.database import Session
from fenta.gateway.models import Channel, ChannelEvent

# The rows are made and locked in the order of their names, so that two consumers never wait for each other.
_LOCK = text(
    "INSERT INTO channel AS c (name, org_id) "
    "SELECT n, o FROM unnest(CAST(:names AS text[]), CAST(:org_ids AS text[])) AS u(n, o) ORDER BY n "
    "ON CONFLICT (name) DO UPDATE SET org_id = c.org_id RETURNING name, org_id, last_seq, state, ended_at"
)
_APPEND = text(
    "INSERT INTO channel_event (channel, seq, org_id, body) SELECT c, s, o, b::jsonb FROM unnest("
    "CAST(:channels AS text[]), CAST(:seqs AS bigint[]), CAST(:org_ids AS text[]), CAST(:bodies AS text[])) "
    "AS u(c, s, o, b)"
)
_SAVE = text(
    "UPDATE channel SET last_seq = :last_seq, state = :state, ended_at = :ended_at, updated_at = now() "
    "WHERE name = :name"
).bindparams(bindparam("state", type_=JSONB))
_FIND = text("SELECT name, org_id, last_seq, state, ended_at FROM channel WHERE name = :name")
_READ = text("SELECT seq, body FROM channel_event WHERE channel = :name AND seq > :after ORDER BY seq LIMIT :rows")
_POSITIONS = text("SELECT name, last_seq FROM channel WHERE name = ANY(:names)")
_NOTIFY = text("SELECT pg_notify('fenta_live', :payload)")


async def lock_channels(session: Session, orgs: dict[str, str]) -> dict[str, Channel]:
    """The rows of these channels (name → organisation), made where missing, locked until the commit."""
    rows = await session.execute(_LOCK, {"names": list(orgs), "org_ids": list(orgs.values())})
    return {row["name"]: Channel(**row) for row in rows.mappings()}


async def append_events(session: Session, rows: Sequence[tuple[str, int, str, str]]) -> None:
    """Rows are *(channel, seq, org_id, body as JSON)*."""
    channels, seqs, org_ids, bodies = (list(column) for column in zip(*rows, strict=True))
    await session.execute(_APPEND, {"channels": channels, "seqs": seqs, "org_ids": org_ids, "bodies": bodies})


async def save_channels(session: Session, channels: Sequence[Channel]) -> None:
    values: list[dict[str, Any]] = [
        {"name": c.name, "last_seq": c.last_seq, "state": c.state, "ended_at": c.ended_at} for c in channels
    ]
    await session.execute(_SAVE, values)


async def find_channel(session: Session, name: str) -> Channel | None:
    row = (await session.execute(_FIND, {"name": name})).mappings().one_or_none()
    return Channel(**row) if row else None


async def read_events(session: Session, name: str, *, after: int, rows: int) -> list[ChannelEvent]:
    found = await session.execute(_READ, {"name": name, "after": after, "rows": rows})
    return [ChannelEvent(**row) for row in found.mappings()]


async def list_positions(session: Session, names: Sequence[str]) -> dict[str, int]:
    """The number of each channel's last message."""
    rows = await session.execute(_POSITIONS, {"names": list(names)})
    return {row.name: row.last_seq for row in rows}


async def notify(session: Session, payload: str) -> None:
    await session.execute(_NOTIFY, {"payload": payload})
