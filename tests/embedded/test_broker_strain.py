"""Nonsense, half sentences, crowds and giants: an error or a closed connection, never a hang, a leak or a crash."""

import contextlib
import os
import random
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from fenta.embedded.broker import wire
from fenta.embedded.broker.wire import Api, Field, Message, Struct
from tests.support.speech import Connection, make_topic, speaking

MEBIBYTE = 1 << 20
RunBroker = Callable[..., Any]
Eventually = Callable[..., None]


def memory(part: Any) -> int:
    return int(psutil.Process(part.process.pid).memory_info().rss)


def files(part: Any) -> int:
    return psutil.Process(part.process.pid).num_fds()


def is_well(part: Any) -> bool:
    with speaking(part.servers) as connection:
        return bool(connection.ask(wire.API_VERSIONS, 0, {})["apis"]) and "Traceback" not in part.log.read_text()


# Nonsense


def something(kind: Any, version: int, rng: random.Random) -> Any:
    """A value that fits the declared kind."""
    if isinstance(kind, tuple):
        return example(kind, version, rng)
    if isinstance(kind, list):
        return [something(kind[0], version, rng) for _ in range(rng.choice([0, 1, 2]))]
    if kind is wire.STRING:
        return rng.choice(["t", "g", "consumer", "", "x" * 40])
    if kind is wire.Bytes:
        return rng.randbytes(rng.choice([0, 10, 90]))
    if kind is wire.Boolean:
        return rng.choice([True, False])
    return rng.choice([-1, 0, 1, 2, 100])


def example(fields: tuple[Field, ...], version: int, rng: random.Random) -> Message:
    return {
        field.name: something(field.kind, version, rng) for field in fields if field.since <= version <= field.until
    }


def request(api: Api, version: int, rng: random.Random) -> bytes:
    head = struct.pack(">hhi", api.key, version, 7) + wire.STRING.encode("fuzz")
    return head + Struct(api.request, version).encode(example(api.request, version, rng))


def spoilt(payload: bytes, rng: random.Random) -> bytes:
    """The same request with a few wrong bytes, or cut short, or with something behind it."""
    data = bytearray(payload)
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        # The key and the version stay, so that the request is read at all.
        place = rng.randrange(4, len(data))
        data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    cut = rng.choice([0, 0, 0, 1, 3, 10])
    return bytes(data[: max(5, len(data) - cut)]) + rng.choice([b"", b"", b"more"])


# These may wait as long as their own fields say.
PATIENT = {wire.FETCH.key, wire.JOIN_GROUP.key, wire.SYNC_GROUP.key, wire.PRODUCE.key}


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_is_answered_or_ends_its_connection(run_part: Any, seed: int) -> None:
    broker = run_part("fenta.embedded.broker")
    make_topic(broker.servers, "t", 2)
    rng = random.Random(seed)
    versions = [(api, version) for api in wire.APIS.values() for version in range(api.minimum, api.maximum + 1)]
    before = memory(broker)
    for api, version in rng.sample(versions, len(versions)) * 4:
        with speaking(broker.servers) as connection:
            connection.socket.settimeout(0.05 if api.key in PATIENT else 10)
            with contextlib.suppress(TimeoutError if api.key in PATIENT else ()):
                connection.exchange(spoilt(request(api, version, rng), rng))
    assert is_well(broker), broker.log.read_text()[-3000:]
    assert memory(broker) - before < 60 * MEBIBYTE


def test_noise_is_no_request(broker: Any) -> None:
    rng = random.Random(1)
    for _ in range(200):
        with speaking(broker.servers) as connection:
            connection.socket.sendall(rng.randbytes(rng.randrange(1, 300)))
            connection.socket.shutdown(socket.SHUT_WR)
            connection.receive()
    assert is_well(broker)


# Half sentences and crowds


@contextlib.contextmanager
def crowd(broker: Any, size: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        connect = socket.create_connection
        yield [stack.enter_context(connect(("127.0.0.1", broker.port), timeout=30)) for _ in range(size)]


def test_a_thousand_connections_are_served_and_forgotten(broker: Any, eventually: Eventually) -> None:
    at_rest, light = files(broker), memory(broker)
    with crowd(broker, 1000) as opened:
        for one in opened:
            assert Connection(one).ask(wire.METADATA, 1, {"topics": []})["brokers"]
        assert is_well(broker)
        assert files(broker) >= at_rest + 1000
        assert memory(broker) - light < 100 * MEBIBYTE
    eventually(lambda: files(broker) <= at_rest)
    assert is_well(broker)


def test_what_is_announced_and_never_comes_takes_no_room(broker: Any) -> None:
    light = memory(broker)
    with crowd(broker, 200) as opened:
        for one in opened:
            one.sendall(struct.pack(">i", 60 * MEBIBYTE) + b"\x00" * 1000)
        assert is_well(broker)
        assert memory(broker) - light < 60 * MEBIBYTE


def test_a_silent_connection_is_closed(run_broker: RunBroker, eventually: Eventually) -> None:
    broker = run_broker("--silence-seconds", "2")
    at_rest = files(broker)
    with crowd(broker, 20) as opened:
        for one in opened[:10]:
            one.sendall(struct.pack(">i", 100) + b"half")
        assert [one.recv(1) for one in opened] == [b""] * 20
        eventually(lambda: files(broker) <= at_rest)
    assert is_well(broker)


def test_a_reader_that_does_not_read_is_let_go(run_broker: RunBroker, eventually: Eventually) -> None:
    broker = run_broker("--silence-seconds", "2")
    make_topic(broker.servers, "t", max_message_bytes=str(9 * MEBIBYTE))
    with speaking(broker.servers) as connection:
        store(connection, os.urandom(8 * MEBIBYTE))
    at_rest = files(broker)
    with crowd(broker, 5) as opened:
        for one in opened:
            with contextlib.suppress(OSError):  # it may be let go while we still ask
                one.sendall(fetching() * 4)
        eventually(lambda: files(broker) <= at_rest)
    assert is_well(broker)


# Giants


def store(connection: Connection, value: bytes) -> int:
    from tests.broker.test_protocol import batch, produce

    answer = produce(connection, batch(value))
    return int(answer["error_code"])


def fetching() -> bytes:
    partition = {"current_leader_epoch": -1, "max_bytes": 1 << 30}
    body = {
        "max_bytes": 1 << 30, "session_epoch": -1, "topics": [{"name": "t", "partitions": [partition]}],
        "forgotten_topics": [], "rack_id": "",
    }  # fmt: skip
    payload = struct.pack(">hhi", 1, 11, 1) + wire.STRING.encode("x") + Struct(wire.FETCH.request, 11).encode(body)
    return struct.pack(">i", len(payload)) + payload


def test_giants_pass_where_they_may_and_leave_no_trace(broker: Any) -> None:
    make_topic(broker.servers, "t", max_message_bytes=str(11 * MEBIBYTE))
    light = memory(broker)
    with speaking(broker.servers) as connection:
        for _ in range(12):
            assert store(connection, os.urandom(10 * MEBIBYTE)) == 0
        connection.socket.sendall(fetching())
        answer = connection.receive()
    assert 40 * MEBIBYTE < len(answer) < 56 * MEBIBYTE, "more than one answer may hold stays for the next"
    assert memory(broker) - light < 250 * MEBIBYTE
    assert is_well(broker)


def test_a_giant_is_refused_where_it_may_not_pass(broker: Any) -> None:
    make_topic(broker.servers, "t")
    with speaking(broker.servers) as connection:
        assert store(connection, os.urandom(10 * MEBIBYTE)) == 10
        assert store(connection, b"small") == 0
