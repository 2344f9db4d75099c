"""Speaks the Kafka protocol by hand: one request in a version of the test's choice, its answer decoded."""

import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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


def brokers(address: str) -> int:
    """How many brokers the node there knows; 0 while it does not answer."""
    with suppress(OSError, AssertionError, ValueError, struct.error), speaking(address) as connection:
        return len(connection.ask(wire.METADATA, 1, {"topics": []})["brokers"])
    return 0


def remove_members(servers: str, group: str, members: list[tuple[str, str | None]]) -> None:
    """As an operator does it with members that will not come back: (member id, instance id) of each."""
    entries = [{"member_id": member, "group_instance_id": instance} for member, instance in members]
    for address in servers.split(","):
        # All but the group's coordinator refuse.
        with speaking(address) as connection:
            connection.ask(wire.LEAVE_GROUP, 3, {"group_id": group, "members": entries})


def make_topic(servers: str, name: str, partitions: int = 1, replication: int = 1, **configs: str) -> None:
    """Returns when every node knows it. Settings are written with underscores."""
    topic = {
        "name": name,
        "partition_count": partitions,
        "replication_factor": replication,
        "configs": [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()],
    }
    with speaking(servers.split(",", maxsplit=1)[0]) as connection:
        answer = connection.ask(wire.CREATE_TOPICS, 2, {"topics": [topic], "timeout_ms": 30_000})
    assert answer["topics"][0]["error_code"] == 0, answer
    until_known(servers, name, partitions)


def until_known(servers: str, topic: str, partitions: int) -> None:
    """A cluster answers that a topic is made before every node has heard of it."""
    for number in range(partitions):
        for address in servers.split(","):
            _eventually(lambda address=address, number=number: _leader(address, topic, number))


def _eventually(look: Callable[[], str | None], seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return found


def _leader(address: str, topic: str, partition: int) -> str | None:
    with speaking(address) as connection:
        answer = connection.ask(wire.METADATA, 1, {"topics": [topic]})
    nodes = {broker["node_id"]: f"{broker['host']}:{broker['port']}" for broker in answer["brokers"]}
    partitions = {entry["index"]: entry for entry in answer["topics"][0]["partitions"]}
    if partition not in partitions or partitions[partition]["error_code"]:
        return None
    return nodes.get(partitions[partition]["leader"])


@contextmanager
def with_leader(servers: str, topic: str, partition: int = 0) -> Iterator[Connection]:
    """A connection to the node that has this partition."""
    with speaking(_eventually(lambda: _leader(servers.split(",", maxsplit=1)[0], topic, partition))) as connection:
        yield connection


@contextmanager
def with_coordinator(servers: str, group: str) -> Iterator[Connection]:
    """A connection to the node that looks after this group, once there is one and it is ready."""
    with speaking(_eventually(lambda: _coordinator(servers, group))) as connection:
        yield connection


def _coordinator(servers: str, group: str) -> str | None:
    with speaking(servers.split(",", maxsplit=1)[0]) as connection:
        answer = connection.ask(wire.FIND_COORDINATOR, 0, {"key": group})
    if answer["error_code"]:
        return None
    address = f"{answer['host']}:{answer['port']}"
    with speaking(address) as connection:
        described = connection.ask(wire.DESCRIBE_GROUPS, 0, {"groups": [group]})["groups"][0]
    # Loading, moving, or not known as coordinator yet.
    return None if described["error_code"] in (14, 15, 16) else address
