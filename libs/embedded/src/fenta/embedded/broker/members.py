"""One member of a consumer group, and what can be read out of its subscription."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from io import BytesIO

from aiokafka.protocol.types import Array, Int16, String

from .errors import Refused
from .wire import Message

_TOPICS = Array(String("utf-8"))


@dataclass(eq=False)
class Member:
    """`joining` and `syncing` are the answers that the client is waiting for at the moment."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_seconds: float
    rebalance_seconds: float
    protocols: dict[str, bytes]
    assignment: bytes = b""
    joining: asyncio.Future[Message] | None = None
    syncing: asyncio.Future[bytes] | None = None
    last_seen: float = field(default_factory=time.monotonic)

    def seen(self) -> None:
        self.last_seen = time.monotonic()

    def is_waiting(self) -> bool:
        """A client that waits for our answer cannot send heartbeats meanwhile."""
        return self.joining is not None or self.syncing is not None

    def is_expired(self) -> bool:
        return not self.is_waiting() and time.monotonic() - self.last_seen > self.session_seconds

    def await_join(self) -> asyncio.Future[Message]:
        self.joining = asyncio.get_running_loop().create_future()
        return self.joining

    def await_sync(self) -> asyncio.Future[bytes]:
        self.syncing = asyncio.get_running_loop().create_future()
        return self.syncing

    def answer_join(self, answer: Message) -> None:
        self.seen()
        waiting, self.joining = self.joining, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def answer_sync(self, assignment: bytes) -> None:
        self.seen()
        waiting, self.syncing = self.syncing, None
        if waiting is not None and not waiting.done():
            waiting.set_result(assignment)

    def interrupt(self, *, join: Refused | None = None, sync: Refused | None = None) -> None:
        """Whoever waits learns that the wait was for nothing; who waited could not send heartbeats."""
        if self.is_waiting():
            self.seen()
        if join and self.joining is not None and not self.joining.done():
            self.joining.set_exception(join)
            self.joining = None
        if sync and self.syncing is not None and not self.syncing.done():
            self.syncing.set_exception(sync)
            self.syncing = None


def new_member_id(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4()}"


def subscribed_topics(metadata: bytes) -> frozenset[str] | bytes:
    """The topics of a consumer's subscription; the bytes themselves when another protocol wrote them."""
    try:
        data = BytesIO(metadata)
        Int16.decode(data)
        return frozenset(_TOPICS.decode(data) or [])
    except ValueError:
        return metadata
