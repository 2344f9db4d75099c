"""Fakes and makers for tests of services: messages without Kafka, objects without a store, what was told."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord
from sqlalchemy import text

from fenta.chassis.database import Database, Session
from fenta.chassis.errors import NotFound
from fenta.chassis.messages import Message, Route
from fenta.chassis.outbox import outbox_row
from fenta.contracts.events import EVENTS, Event
from fenta.contracts.ids import uuid7
from fenta.contracts.topics import TOPICS
from fenta.contracts.values import storage_key


def record_of(event: Event, *, event_id: str | None = None, offset: int = 0) -> "ConsumerRecord[bytes, bytes]":
    """The event as Kafka would hand it over."""
    row = outbox_row(event, source=TOPICS[event.topic].producers[0], event_id=event_id)
    return ConsumerRecord(
        topic=row.topic,
        partition=0,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=row.key.encode(),
        value=row.value,
        checksum=None,
        serialized_key_size=len(row.key),
        serialized_value_size=len(row.value),
        headers=tuple((name, value.encode()) for name, value in row.headers.items()),
    )


def message_of(event: Event, *, event_id: str | None = None) -> Message[Any]:
    """A message around an event."""
    identifier = event_id or str(uuid7())
    record = record_of(event, event_id=identifier)
    return Message(event, identifier, dict(record.headers), record)


async def deliver(database: Database, routes: Sequence[Route], *events: Event) -> None:
    """Hand events to the use cases as one batch, without inbox: what a use case does with a repeat is its own."""
    async with database.transaction() as session:
        for route in routes:
            fitting = [message_of(event) for event in events if type(event) in route.events]
            if route.whole and fitting:
                await route.whole(session, fitting)
            for message in fitting:
                if route.use_case:
                    await route.use_case(session, message)


async def told(database: Database, topic: str | None = None) -> list[Any]:
    """The events in the outbox, oldest first."""
    async with database.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT headers, value FROM outbox_event"))).all()
    events = [EVENTS[row.headers["ce_type"]].model_validate_json(row.value) for row in rows if "ce_type" in row.headers]
    return [event for event in events if topic in (None, event.topic)]


class InMemoryStorage:
    """The object store as a dictionary; hands out addresses nobody answers."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.media_types: dict[str, str] = {}

    async def put(self, org_id: str, data: bytes, *, media_type: str) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.objects[storage_key(org_id, sha256)] = data
        self.media_types[storage_key(org_id, sha256)] = media_type
        return sha256

    async def put_file(self, org_id: str, path: Path, *, media_type: str) -> str:
        return await self.put(org_id, path.read_bytes(), media_type=media_type)  # noqa: ASYNC240  small files in tests

    async def get(self, org_id: str, sha256: str) -> bytes:
        try:
            return self.objects[storage_key(org_id, sha256)]
        except KeyError:
            raise NotFound("object") from None

    async def fetch(self, org_id: str, sha256: str, path: Path) -> Path:
        path.write_bytes(await self.get(org_id, sha256))  # noqa: ASYNC240
        return path

    async def exists(self, org_id: str, sha256: str) -> bool:
        return storage_key(org_id, sha256) in self.objects

    def link(self, org_id: str, sha256: str, *, seconds: int = 3600, filename: str | None = None) -> str:
        return f"http://storage.invalid/{storage_key(org_id, sha256)}?{json.dumps([seconds, filename])}"


__all__ = ["InMemoryStorage", "Session", "deliver", "message_of", "record_of", "told"]
