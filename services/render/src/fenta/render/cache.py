"""Finished segments of an organisation's films: files in object storage, what was seen of them in a table.

They are kept as long as there is room, the least used go first. Losing one costs its work again and nothing else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.errors import FentaError
from fenta.chassis.storage import Storage, hash_file
from fenta.chassis.telemetry import log
from fenta.render.repository import Segments


class SegmentCache:
    """Of one organisation. `most_bytes` bounds those of all together; with 0 each goes when no render waits for it."""

    def __init__(self, database: Database, storage: Storage, *, org_id: str, most_bytes: int) -> None:
        self._database, self._storage = database, storage
        self._org_id, self._most_bytes = org_id, most_bytes
        self._hashes: dict[str, str] = {}

    async def find(self, keys: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """What was seen of those that are there, and whether somebody has paid for them."""
        async with self._database.transaction() as session:
            rows = await Segments(session).use(self._org_id, keys)
        self._hashes |= {row.key: row.sha256 for row in rows}
        return {row.key: row.seen | {"paid": row.paid} for row in rows}

    async def fetch(self, key: str, path: Path) -> bool:
        """Copy it to a file; False when it is gone or spoiled, and then it is forgotten."""
        try:
            await self._storage.fetch_cached(self._name(key), self._hashes[key], path)
        except FentaError as error:
            log.info("segment.gone", key=key, error=f"{type(error).__name__}: {error}")
            await self.forget([key])
            return False
        return True

    async def keep(self, key: str, path: Path, seen: dict[str, Any]) -> None:
        """Store it, for the render that waits for it and for those to come. Raises what the store raises.

        The row comes first: who dies in between leaves one without its object, which the next to look forgets, and
        never an object that nobody knows of.
        """
        sha256, size_bytes = await asyncio.to_thread(lambda: (hash_file(path), path.stat().st_size))
        async with self._database.transaction() as session:
            await Segments(session).add(self._org_id, key, sha256=sha256, size_bytes=size_bytes, seen=seen)
        crash_point("segment.noted")
        try:
            await self._storage.put_cached(self._name(key), path)
        except FentaError as error:
            log.info("segment.not_kept", key=key, error=f"{type(error).__name__}: {error}")
            await self.forget([key])
            raise

    async def forget(self, keys: Sequence[str]) -> None:
        async with self._database.transaction() as session:
            await Segments(session).remove(self._org_id, keys)

    async def settle(self, session: Session, keys: Sequence[str]) -> None:
        """All of these are paid for with this transaction."""
        await Segments(session).settle(self._org_id, keys)

    async def trim(self) -> None:
        """Make room: the least used of all organisations go, their objects first."""
        async with self._database.transaction() as session:
            least_used = await Segments(session).least_used(self._most_bytes)
        for org_id, key in least_used:
            try:
                await self._storage.drop_cached(f"{org_id}/{key}")
            except FentaError as error:
                log.info("segment.not_dropped", key=key, error=f"{type(error).__name__}: {error}")
                return
            async with self._database.transaction() as session:
                await Segments(session).remove(org_id, [key])

    def _name(self, key: str) -> str:
        return f"{self._org_id}/{key}"
