"""What could not be handled is set aside with its reason and origin, told on `<service>.dlq`, and can be replayed."""

import base64
import json
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from fenta.chassis import telemetry
from fenta.chassis.messages import REPLAY_FOR, Poison
from fenta.chassis.outbox import LARGEST_EVENT_BYTES, OutboxRow
from fenta.chassis.telemetry import log
from fenta.contracts.ids import uuid7
from fenta.contracts.topics import TOPICS

if TYPE_CHECKING:
    from fenta.chassis.database import Database, Session

_STORE = text(
    "INSERT INTO dead_letter (id, topic, partition, kafka_offset, reason, error, stack, attempts, key, headers, value) "
    "VALUES (:id, :topic, :partition, :offset, :reason, :error, :stack, :attempts, :key, CAST(:headers AS jsonb), "
    ":value) ON CONFLICT (topic, partition, kafka_offset) DO NOTHING RETURNING id"
)
_LIST = text(
    "SELECT id, topic, partition, kafka_offset, reason, error, attempts, created_at, replayed_at, dropped_at, note "
    "FROM dead_letter WHERE (CAST(:reason AS text) IS NULL OR reason = :reason) "
    "AND (CAST(:topic AS text) IS NULL OR topic = :topic) "
    "AND (CAST(:older_than_seconds AS float) IS NULL "
    "OR created_at <= now() - make_interval(secs => CAST(:older_than_seconds AS float))) "
    "AND (CAST(:newer_than_seconds AS float) IS NULL "
    "OR created_at > now() - make_interval(secs => CAST(:newer_than_seconds AS float))) "
    "AND (NOT :waiting OR (replayed_at IS NULL AND dropped_at IS NULL)) "
    "ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_GET = text("SELECT * FROM dead_letter WHERE id = :id")
_LOCK = text("SELECT * FROM dead_letter WHERE id = :id FOR UPDATE")
_REPLAYED = text("UPDATE dead_letter SET replayed_at = now() WHERE id = :id")
_DROPPED = text("UPDATE dead_letter SET dropped_at = now(), note = :note WHERE id = :id")
_WAITING = text(
    "SELECT reason, count(*) AS waiting FROM dead_letter WHERE replayed_at IS NULL AND dropped_at IS NULL GROUP BY 1"
)

# A record on the dead-letter topic carries the value up to this size; the table holds it whole.
LARGEST_TOLD_BYTES = 128 * 1024
MOST_STACK_CHARACTERS = 20_000
# Every reason for which a record is set aside.
REASONS = ("bad_headers", "bad_value", "handler_failed", "no_value", "wrong_topic")
# A record that is sent again names the one service that is to read it; the others have had theirs.
REPLAY_OF = "replay_of"


@dataclass(frozen=True)
class Wanted:
    """Which letters are meant: whatever is given here must be true of them. By default all."""

    reason: str | None = None
    topic: str | None = None
    older_than_seconds: float | None = None
    newer_than_seconds: float | None = None
    waiting: bool = False


ALL = Wanted()


class LetterRefused(Exception):
    """What was asked cannot be done with this letter; the message says why."""


class DeadLetters:
    """The dead letters of one service."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def store(self, session: "Session", poison: Poison, *, attempts: int, error: Exception | None = None) -> None:
        """Keep a record in the caller's transaction, and where its handler failed; the same record twice is kept once.

        That holds for one that a person has dropped as well.
        """
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
                "stack": _stack(error),
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
                letter_id=str(stored),
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error_code=poison.reason,
                error=poison.error[:500],
            )

    async def list(self, session: "Session", limit: int = 100, wanted: Wanted = ALL) -> Sequence[Any]:
        """The newest first, without what they hold."""
        return (await session.execute(_LIST, {**asdict(wanted), "limit": limit})).mappings().all()

    async def get(self, session: "Session", letter_id: str) -> Any:
        """The whole letter, or None."""
        return (await session.execute(_GET, {"id": letter_id})).mappings().one_or_none()

    async def replay(self, session: "Session", letter_id: str, *, again: bool = False) -> None:
        """Send the letter to its topic again, with its own headers, for this service only. Raises LetterRefused.

        The inbox does not know its event yet, since a letter never had an effect.
        """
        letter = await self._lock(session, letter_id)
        if letter["replayed_at"] and not again:
            raise LetterRefused(
                f"was sent again at {letter['replayed_at']:%Y-%m-%d %H:%M:%S}; --again does it once more"
            )
        if letter["topic"] not in TOPICS:
            raise LetterRefused(f"came from {letter['topic']}, a topic that this version does not know")
        if letter["value"] is None:
            raise LetterRefused("has no value, so nothing could be sent")
        if len(letter["value"]) > LARGEST_EVENT_BYTES:
            raise LetterRefused(f"has {len(letter['value'])} bytes, more than Kafka is sent in one record")
        headers = {name: value for name, value in letter["headers"].items() if isinstance(value, str)}
        session.events.append(
            OutboxRow(
                event_id=str(uuid7()),
                topic=letter["topic"],
                key=_key(letter["key"]),
                value=letter["value"],
                headers=headers | {REPLAY_FOR: self._service, REPLAY_OF: letter_id},
            )
        )
        await session.execute(_REPLAYED, {"id": letter_id})
        log.info("dead_letter.replayed", **self._line(letter))

    async def drop(self, session: "Session", letter_id: str, note: str) -> None:
        """Let go of the letter; it stays where it is, with the note. Raises LetterRefused."""
        letter = await self._lock(session, letter_id)
        await session.execute(_DROPPED, {"id": letter_id, "note": _without_nul(note)})
        log.info("dead_letter.dropped", **self._line(letter), note=note)

    async def measure(self, database: "Database") -> None:
        """How many wait for a person, by reason."""
        async with database.transaction() as session:
            waiting = {row.reason: row.waiting for row in await session.execute(_WAITING)}
        for reason in REASONS:
            telemetry.waiting_letters.labels(self._service, reason).set(waiting.get(reason, 0))

    async def _lock(self, session: "Session", letter_id: str) -> Any:
        """A letter that nobody has dropped."""
        letter = (await session.execute(_LOCK, {"id": letter_id})).mappings().one_or_none()
        if letter is None:
            raise LetterRefused("does not exist")
        if letter["dropped_at"]:
            raise LetterRefused(f"was dropped at {letter['dropped_at']:%Y-%m-%d %H:%M:%S}: {letter['note']}")
        return letter

    def _line(self, letter: Any) -> dict[str, Any]:
        return {
            "service": self._service,
            "letter_id": str(letter["id"]),
            "topic": letter["topic"],
            "partition": letter["partition"],
            "offset": letter["kafka_offset"],
            "error_code": letter["reason"],
        }

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


def _stack(error: Exception | None) -> str:
    """The end of it, which is nearest to the fault."""
    return _without_nul("".join(traceback.format_exception(error))[-MOST_STACK_CHARACTERS:]) if error else ""


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
