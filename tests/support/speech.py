"""Speaks the Kafka protocol by hand: one request in a version of the test's choice, its answer decoded."""

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
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


def dismiss(servers: str, group: str) -> None:
    """Removes all members, as an operator does it with those that will not come back."""
    with with_coordinator(servers, group) as connection:
        (described,) = connection.ask(wire.DESCRIBE_GROUPS, 4, {"groups": [group]})["groups"]
        members = [{key: member[key] for key in ("member_id", "group_instance_id")} for member in described["members"]]
        connection.ask(wire.LEAVE_GROUP, 3, {"group_id": group, "members": members})


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
    """A cluster answers that a topic is made before every node has heard of it, and knows leaders that do not yet."""
    for number in range(partitions):
        for address in servers.split(","):
            _eventually(partial(_leader, address, topic, number))
        _eventually(partial(_served, servers, topic, number))


def until_all_known(servers: str, topics: Iterable[str]) -> None:
    """The same for many; the partitions of a topic come together."""
    _everywhere(servers, lambda known: known.issuperset(topics))


def until_forgotten(servers: str, topics: Iterable[str]) -> None:
    """A node may still show a topic that was deleted already, also when one of the same name is made anew."""
    _everywhere(servers, lambda known: known.isdisjoint(topics))


def _everywhere(servers: str, is_right: Callable[[set[str]], bool]) -> None:
    for address in servers.split(","):
        _eventually(partial(_agrees, address, is_right))


def _agrees(address: str, is_right: Callable[[set[str]], bool]) -> str | None:
    return address if is_right(_topics(address)) else None


def _topics(address: str) -> set[str]:
    """All that this node knows and has leaders for."""
    with speaking(address) as connection:
        answer = connection.ask(wire.METADATA, 1, {"topics": None})
    return {
        topic["name"] for topic in answer["topics"] if not any(entry["error_code"] for entry in topic["partitions"])
    }


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


def _served(servers: str, topic: str, partition: int) -> str | None:
    address = _leader(servers.split(",", maxsplit=1)[0], topic, partition)
    if address is None:
        return None
    body = {"replica_id": -1, "topics": [{"name": topic, "partitions": [{"index": partition, "timestamp": -1}]}]}
    with speaking(address) as connection:
        answer = connection.ask(wire.LIST_OFFSETS, 2, body)
    return None if answer["topics"][0]["partitions"][0]["error_code"] else address


@contextmanager
def with_leader(servers: str, topic: str, partition: int = 0) -> Iterator[Connection]:
    """A connection to the node that has this partition."""
    with speaking(leader_of(servers, topic, partition)) as connection:
        yield connection


def leader_of(servers: str, topic: str, partition: int = 0) -> str:
    """The address of the node that has this partition."""
    return _eventually(lambda: _leader(servers.split(",", maxsplit=1)[0], topic, partition))


@contextmanager
def with_coordinator(servers: str, group: str) -> Iterator[Connection]:
    """A connection to the node that looks after this group, once there is one and it is ready."""
    with speaking(coordinator_of(servers, group)) as connection:
        yield connection


def coordinator_of(servers: str, group: str) -> str:
    """The address of the node that looks after this group."""
    return _eventually(lambda: _coordinator(servers, group))


def all_in_sync(servers: str, replicas: int) -> None:
    """Returns when every partition of every topic has so many replicas in sync: the next node may go."""
    _eventually(lambda: servers if _fewest_in_sync(servers.split(",", maxsplit=1)[0]) >= replicas else None, 120)


def _fewest_in_sync(address: str) -> int:
    with speaking(address) as connection:
        answer = connection.ask(wire.METADATA, 1, {"topics": None})
    return min(len(entry["in_sync"]) for topic in answer["topics"] for entry in topic["partitions"])


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
