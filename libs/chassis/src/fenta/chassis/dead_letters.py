"""What could not be handled is set aside with its reason and origin, told on `<service>.dlq`, and can be replayed."""

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from fenta.chassis import telemetry
from fenta.chassis.messages import Poison
from fenta.chassis.outbox import OutboxRow
from fenta.chassis.telemetry import log
from fenta.contracts.ids import uuid7

if TYPE_CHECKING:
    from fenta.chassis.database import Session

_STORE = text(
    "INSERT INTO dead_letter (id, topic, partition, kafka_offset, reason, error, attempts, key, headers, value) "
    "VALUES (:id, :topic, :partition, :offset, :reason, :error, :attempts, :key, CAST(:headers AS jsonb), :value) "
    "ON CONFLICT (topic, partition, kafka_offset) DO NOTHING RETURNING id"
)
_LIST = text(
    "SELECT id, topic, partition, kafka_offset, reason, error, attempts, created_at, replayed_at FROM dead_letter "
    "ORDER BY created_at DESC LIMIT :limit"
)
_GET = text("SELECT * FROM dead_letter WHERE id = :id")
_REPLAYED = text("UPDATE dead_letter SET replayed_at = now() WHERE id = :id")


# A record on the dead-letter topic carries the value up to this size; the table holds it whole.
LARGEST_TOLD_BYTES = 128 * 1024


class DeadLetters:
    """The dead letters of one service."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def store(self, session: "Session", poison: Poison, *, attempts: int) -> None:
        """Keep a record in the caller's transaction; the same record twice is kept once."""
        record = poison.record
        stored = await session.scalar(
            _STORE,
            {
                "id": uuid7(),
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "reason": poison.reason,
                "error": _without_nul(poison.error),
                "attempts": attempts,
                "key": record.key,
                "headers": json.dumps(_readable(record.headers)),
                "value": record.value,
            },
        )
        if stored:
            session.events.append(self._told(poison, attempts))
            telemetry.dead_letters.labels(self._service, record.topic, poison.reason).inc()
            log.error(
                "dead_letter.stored",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error_code=poison.reason,
                error=poison.error[:500],
            )

    async def list(self, session: "Session", limit: int = 100) -> Sequence[Any]:
        return (await session.execute(_LIST, {"limit": limit})).mappings().all()

    async def get(self, session: "Session", letter_id: str) -> Any:
        """The whole letter, or None."""
        return (await session.execute(_GET, {"id": letter_id})).mappings().one_or_none()

    async def replay(self, session: "Session", letter_id: str) -> bool:
        """Send the letter to its topic again, with its own headers; False if there is none of this id.

        The inbox does not know its event yet, since a letter never had an effect.
        """
        letter = await self.get(session, letter_id)
        if letter is None:
            return False
        headers = {name: value for name, value in letter["headers"].items() if isinstance(value, str)}
        session.events.append(
            OutboxRow(
                event_id=str(uuid7()),
                topic=letter["topic"],
                key=_key(letter["key"]),
                value=letter["value"] or b"",
                headers=headers,
            )
        )
        await session.execute(_REPLAYED, {"id": letter_id})
        return True

    def _told(self, poison: Poison, attempts: int) -> OutboxRow:
        record = poison.record
        headers = {
            "reason": poison.reason,
            "error": _without_nul(poison.error)[:500],
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "attempts": str(attempts),
        }
        value = record.value or b""
        if len(value) > LARGEST_TOLD_BYTES:
            headers["omitted_bytes"], value = str(len(value)), b""
        return OutboxRow(str(uuid7()), f"{self._service}.dlq", _key(record.key), value, headers)


def _key(key: bytes | None) -> str:
    return _without_nul((key or b"").decode(errors="replace"))


def _without_nul(text: str) -> str:
    """Postgres stores every character but this one."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _readable(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, Any]:
    """Text where Postgres can hold it; else the bytes in base64, so that nothing is lost."""
    return {_without_nul(name): _text(value) for name, value in headers}


def _text(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        if b"\0" not in value:
            return value.decode()
    except UnicodeDecodeError:
        pass
    return {"base64": base64.b64encode(value).decode()}
