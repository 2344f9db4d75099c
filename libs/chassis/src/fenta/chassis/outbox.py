"""Events are rows of the transaction they tell of; the relay carries them to Kafka."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from fenta.chassis.errors import PermanentError
from fenta.chassis.moments import written_now
from fenta.chassis.telemetry import traceparent
from fenta.contracts.events import Event
from fenta.contracts.ids import uuid7_text
from fenta.contracts.topics import TOPICS

CONTENT_TYPE = "application/json"
# Kafka takes a million bytes; one row above that would keep all behind it from being sent.
LARGEST_EVENT_BYTES = 900_000
# What one row of the outbox holds at most: it is read and sent as a whole.
BUNDLE_EVENTS = 1000
BUNDLE_BYTES = 4_000_000


class OutboxRow(NamedTuple):
    event_id: str
    topic: str
    key: str
    value: bytes
    headers: dict[str, str]


def outbox_row(event: Event, *, source: str, causation_id: str | None = None, event_id: str | None = None) -> OutboxRow:
    """An event as it will stand on the wire: CloudEvents 1.0 in Kafka's binary mode."""
    stated = _headers_of_all(type(event), source)
    value = to_json(event, by_alias=True)
    if len(value) > LARGEST_EVENT_BYTES:
        raise PermanentError(f"a {event.topic} of {len(value)} bytes is too large; put what is large into an asset")
    identifier = event_id or uuid7_text()
    return OutboxRow(identifier, event.topic, event.key, value, _headers(event, identifier, stated, causation_id))


def _headers(event: Event, event_id: str, stated: Mapping[str, str], causation_id: str | None) -> dict[str, str]:
    headers = {
        **stated,
        "ce_id": event_id,
        "ce_time": written_now(),
        "ce_subject": event.subject,
        "ce_orgid": event.org_id,
    }
    if parent := traceparent.get():
        headers["traceparent"] = parent
    if causation_id:
        headers["ce_causationid"] = causation_id
    return headers


@cache
def _headers_of_all(kind: type[Event], source: str) -> Mapping[str, str]:
    """What all events of this type from this service say. Raises ValueError where they are another's to tell."""
    if source not in TOPICS[kind.topic].producers:
        raise ValueError(f"{source} must not publish {kind.topic}; see fenta.contracts.topics")
    return {
        "ce_specversion": "1.0",
        "ce_source": f"fenta/{source}",
        "ce_type": kind.type_name(),
        "content-type": CONTENT_TYPE,
    }


class Bundle(NamedTuple):
    """Events of one transaction, as one row of the outbox; their values have `size` bytes."""

    id: int
    rows: Sequence[OutboxRow]
    size: int


_INSERT = (
    "INSERT INTO outbox (count, heads, bodies) "
    "SELECT * FROM unnest(CAST($1 AS integer[]), CAST($2 AS text[]), CAST($3 AS bytea[])) RETURNING id"
)


async def insert_outbox(driver: Any, rows: Sequence[OutboxRow]) -> Sequence[Bundle]:
    """Store events, to be sent in this order; in one statement, and mostly as one row."""
    bundles = _bundles(rows)
    heads, bodies = zip(*map(packed, bundles), strict=True)
    ids = await driver.fetch(_INSERT, list(map(len, bundles)), heads, bodies)
    return [
        Bundle(row[0], bundle, len(values)) for row, bundle, values in zip(ids, bundles, bodies, strict=True)
    ]  # fmt: skip


def _bundles(rows: Sequence[OutboxRow]) -> Sequence[Sequence[OutboxRow]]:
    """Halves of halves, until none is too large."""
    if len(rows) > 1 and (len(rows) > BUNDLE_EVENTS or sum([len(row.value) for row in rows]) > BUNDLE_BYTES):
        middle = len(rows) // 2
        return [*_bundles(rows[:middle]), *_bundles(rows[middle:])]
    return [rows]


def packed(rows: Sequence[OutboxRow]) -> tuple[str, bytes]:
    """As the outbox keeps them: JSON of all but the values, with the length of each, and the values in a row."""
    heads = [(row.event_id, row.topic, row.key, len(row.value), row.headers) for row in rows]
    return to_json(heads).decode(), b"".join([row.value for row in rows])


def unpacked(heads: str, bodies: bytes) -> Iterator[OutboxRow]:
    """The rows that `packed` made this of."""
    end = 0
    for event_id, topic, key, length, headers in from_json(heads):
        start, end = end, end + length
        yield OutboxRow(event_id, topic, key, bodies[start:end], headers)
