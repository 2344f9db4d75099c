"""Speaks the Kafka protocol by hand: one request in a version of the test's choice, its answer decoded."""

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from fenta.embedded.broker import wire
from fenta.embedded.broker.wire import Api, Message, Struct

ANSWER_SECONDS = 60


class Connection:
    """Frames out and in, in order."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self._correlation = 0

    def ask(self, api: Api, version: int, body: Mapping[str, Any]) -> Message:
        return Struct(api.answer, version).decode(BytesIO(self.ask_raw(api, version, body)))

    def ask_raw(self, api: Api, version: int, body: Mapping[str, Any]) -> bytes:
        """The answer's body as it came."""
        self._correlation += 1
        header = struct.pack(">hhi", api.key, version, self._correlation) + wire.STRING.encode("by hand")
        answer = self.exchange(header + Struct(api.request, version).encode(body))
        assert struct.unpack_from(">i", answer) == (self._correlation,)
        return answer[4:]

    def exchange(self, payload: bytes) -> bytes:
        """One frame out, one frame in; empty when the broker closes the connection."""
        self.socket.sendall(struct.pack(">i", len(payload)) + payload)
        return self.receive()

    def receive(self) -> bytes:
        length = self._exactly(4)
        return self._exactly(struct.unpack(">i", length)[0]) if length else b""

    def _exactly(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            try:
                chunk = self.socket.recv(size - len(received))
            except ConnectionResetError:
                return b""
            if not chunk:
                return b""
            received += chunk
        return received


@contextmanager
def speaking(address: str) -> Iterator[Connection]:
    """A connection to `host:port`."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as opened:
        yield Connection(opened)


def remove_members(servers: str, group: str, members: list[tuple[str, str | None]]) -> None:
    """As an operator does it with members that will not come back: (member id, instance id) of each."""
    entries = [{"member_id": member, "group_instance_id": instance} for member, instance in members]
    for address in servers.split(","):
        # All but the group's coordinator refuse.
        with speaking(address) as connection:
            connection.ask(wire.LEAVE_GROUP, 3, {"group_id": group, "members": entries})
