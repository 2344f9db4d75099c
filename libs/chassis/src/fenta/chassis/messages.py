"""What arrives from Kafka: a record is read into a message, or refused with the reason."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from fenta.chassis import telemetry
from fenta.chassis.database import Session
from fenta.contracts.events import EVENTS, Event

# The header of a dead letter that was sent again: to which service.
REPLAY_FOR = "replay_for"
_CANONICAL = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
AnyEvent_co = TypeVar("AnyEvent_co", bound=Event, covariant=True)


class Message(NamedTuple, Generic[AnyEvent_co]):
    """An event, its id, what else its headers say, and the record."""

    event: AnyEvent_co
    id: str
    headers: Mapping[str, bytes | None]
    record: "ConsumerRecord[bytes, bytes]"

    @property
    def source(self) -> str:
        """The service it came from."""
        return self._header("ce_source").removeprefix("fenta/")

    @property
    def time(self) -> str:
        """When it happened (RFC 3339)."""
        return self._header("ce_time")

    @property
    def traceparent(self) -> str | None:
        return self._header("traceparent") or None

    def _header(self, name: str) -> str:
        """Empty where there is none."""
        return (self.headers.get(name) or b"").decode(errors="replace")


@dataclass(frozen=True)
class Poison:
    """A record that will never be a message."""

    record: "ConsumerRecord[bytes, bytes]"
    reason: str
    error: str


UseCase = Callable[[Session, Message[Any]], Awaitable[None]]
BatchUseCase = Callable[[Session, Sequence[Message[Any]]], Awaitable[None]]


@dataclass(frozen=True)
class Route:
    """Which events start which use case; `whole` hands over all of a batch at once."""

    events: tuple[type[Event], ...]
    use_case: UseCase | None = None
    whole: BatchUseCase | None = None


def on(event: type[Event], use_case: UseCase) -> Route:
    """When this event arrives, do that: called once per message, inside the batch's transaction."""
    return Route(events=(event,), use_case=use_case)


def on_batch(events: Sequence[type[Event]], use_case: BatchUseCase) -> Route:
    """The same for all messages of a batch at once, in the order of their arrival."""
    return Route(events=tuple(events), whole=use_case)


class Skipped(Enum):
    """Records that are nothing to their reader."""

    UNKNOWN_TYPE = "of a type that this version does not know"
    ELSEWHERE = "a dead letter, sent again to another service"


def read(record: "ConsumerRecord[bytes, bytes]", *, reader: str) -> "Message[Event] | Poison | Skipped":
    """A message for the service that reads, a poisoned record, or why it is neither."""
    headers = dict(record.headers)
    if meant := headers.get(REPLAY_FOR):
        if meant != reader.encode():
            return Skipped.ELSEWHERE
        telemetry.replayed_letters.labels(reader, record.topic).inc()
    try:
        event_type, event_id = headers["ce_type"].decode(), _canonical(headers["ce_id"].decode())
    except (AttributeError, KeyError, ValueError) as error:
        return Poison(record, "bad_headers", f"{type(error).__name__}: {error}")
    model = EVENTS.get(event_type)
    if model is None:
        return Skipped.UNKNOWN_TYPE
    if model.topic != record.topic:
        return Poison(record, "wrong_topic", f"{event_type} does not belong on {record.topic}")
    return _message(record, model, event_id, headers)


def _canonical(event_id: str) -> str:
    """The id as the inbox knows it, whichever way it was written. Raises ValueError for what is no UUID."""
    return event_id if _CANONICAL.fullmatch(event_id) else str(UUID(event_id))


def _message(
    record: "ConsumerRecord[bytes, bytes]", model: type[Event], event_id: str, headers: "dict[str, bytes | None]"
) -> Message[Event] | Poison:
    if record.value is None:
        return Poison(record, "no_value", "the record has no value")
    try:
        # As `model_validate_json` does, which takes a third longer.
        event = model.__pydantic_validator__.validate_json(record.value)
    except ValidationError as error:
        return Poison(record, "bad_value", str(error.errors(include_url=False, include_input=False))[:2000])
    return Message(event, event_id, headers, record)
