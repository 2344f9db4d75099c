"""Events are rows of the transaction they tell of; the relay carries them to Kafka."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic_core import to_json

from fenta.chassis.columns import joined, spelt_out
from fenta.chassis.errors import PermanentError
from fenta.chassis.moments import written_now
from fenta.chassis.telemetry import traceparent
from fenta.contracts.events import Event
from fenta.contracts.ids import uuid7_text
from fenta.contracts.topics import TOPICS

CONTENT_TYPE = "application/json"
# Kafka takes a million bytes; one row above that would keep all behind it from being sent.
LARGEST_EVENT_BYTES = 900_000


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


_INSERT = spelt_out(
    "INSERT INTO outbox (event_id, topic, key, value, headers) "
    "SELECT CAST(e AS uuid), t, k, convert_to(v, 'UTF8'), CAST(h AS json) "
    "FROM unnest(COLUMN($1, text), COLUMN($2, text), COLUMN($3, text), COLUMN($4, text), COLUMN($5, text)) "
    "WITH ORDINALITY AS u(e, t, k, v, h, n) ORDER BY n"
)
# Dead letters that are sent again are as they came: of any bytes, with any key or none.
_INSERT_ANYTHING = spelt_out(
    "INSERT INTO outbox (event_id, topic, key, value, headers) "
    "SELECT CAST(e AS uuid), t, k, v, CAST(h AS json) "
    "FROM unnest(COLUMN($1, text), COLUMN($2, text), CAST($3 AS text[]), CAST($4 AS bytea[]), COLUMN($5, text)) "
    "WITH ORDINALITY AS u(e, t, k, v, h, n) ORDER BY n"
)


async def insert_outbox(driver: Any, rows: Sequence[OutboxRow]) -> None:
    """All events of a transaction in one statement, on its connection of asyncpg."""
    statement, keys, values = _keys_and_values(rows)
    await driver.execute(
        statement,
        joined([row.event_id for row in rows]),
        joined([row.topic for row in rows]),
        keys,
        values,
        joined([to_json(row.headers).decode() for row in rows]),
    )


def _keys_and_values(rows: Sequence[OutboxRow]) -> tuple[str, Any, Any]:
    """And the statement that takes them: as texts, which is faster, where they are texts that can be joined."""
    keys, values = [row.key for row in rows], [row.value for row in rows]
    try:
        if all(keys) and all(values):
            return _INSERT, joined(keys), joined([value.decode() for value in values])
    except (PermanentError, UnicodeDecodeError):
        pass
    return _INSERT_ANYTHING, keys, values
