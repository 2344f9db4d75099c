"""One request on its way to its answer, and the shapes that most answers have."""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from fenta.embedded.broker import wire
from fenta.embedded.broker.errors import Refused
from fenta.embedded.broker.state import State
from fenta.embedded.broker.wire import Message

NODE_ID = 1


class Call(NamedTuple):
    """One request with all it touches. `address` is where this broker listens."""

    state: State
    request: wire.Request
    address: tuple[str, int]
    peer: str

    @property
    def body(self) -> Message:
        return self.request.body


Handler = Callable[[Call], Awaitable[Message | None]]


def per_partition(call: Call, answer: Callable[[str, Message], Message]) -> list[Message]:
    """The usual shape of a request and its answer: topics, in them partitions, each with its own error."""
    return [
        {"name": topic["name"], "partitions": [_guarded(answer, topic["name"], entry) for entry in topic["partitions"]]}
        for topic in call.body["topics"] or []
    ]


def _guarded(answer: Callable[[str, Message], Message], name: str, entry: Message) -> Message:
    try:
        return {"index": entry["index"], **answer(name, entry)}
    except Refused as refusal:
        return {"index": entry["index"], "error_code": refusal.code, **_no_offsets()}


def _no_offsets() -> Message:
    return {"base_offset": -1, "high_watermark": -1, "last_stable_offset": -1, "log_start_offset": -1}


def per_entry(entries: Iterable[Message] | None, act: Callable[[Message], None]) -> list[Message]:
    """The administrator's shape: a list of things by name, each done or refused."""
    results = []
    for entry in entries or []:
        answer = {"name": entry["name"], "type": entry.get("type", 0)}
        try:
            act(entry)
        except Refused as refusal:
            answer.update(error_code=refusal.code, error_message=refusal.sentence)
        results.append(answer)
    return results


def tried(act: Callable[[], None]) -> Message:
    """Empty when it is done, else the refusal's code."""
    try:
        act()
    except Refused as refusal:
        return {"error_code": refusal.code}
    return {}
