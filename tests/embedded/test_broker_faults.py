"""What must hold when the broker is killed, frozen or spoken to wrongly."""

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from fenta.embedded.broker import wire


async def create(part: Any, name: str, partitions: int) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=part.servers)
    await client.start()
    await client.create_topics([NewTopic(name, partitions, 1)])
    await client.close()


async def stored(part: Any, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=part.servers, auto_offset_reset="earliest")
    await consumer.start()
    values: list[bytes] = []
    async with asyncio.timeout(30):
        while len(values) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                values += [record.value for record in records]
    await consumer.stop()
    return sorted(values)


async def test_a_frozen_broker_does_not_take_its_members_for_dead(broker: Any) -> None:
    await create(broker, "t", 1)
    consumer = AIOKafkaConsumer(
        "t", bootstrap_servers=broker.servers, group_id="g", session_timeout_ms=1500, heartbeat_interval_ms=300
    )
    await consumer.start()
    generation = consumer._coordinator.generation
    broker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)  # longer than the session, which is what is being tested
    broker.process.send_signal(signal.SIGCONT)
    await consumer.commit(dict.fromkeys(consumer.assignment(), 0))
    assert consumer._coordinator.generation == generation
    await consumer.stop()


def test_stopping_is_quiet_and_clean(broker: Any) -> None:
    with socket.create_connection(("127.0.0.1", broker.port)) as connection:
        connection.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
        assert connection.recv(4)
        assert broker.stop() == 0
    assert "Traceback" not in broker.log.read_text()


def test_a_second_broker_on_the_same_folder_is_refused(broker: Any) -> None:
    second = subprocess.run(broker.command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "in use by another process" in second.stderr


def ask(port: int, payload: bytes) -> bytes:
    """One frame out, one frame in; empty when the broker closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(payload)) + payload)
        return answer_of(connection)


def answer_of(connection: socket.socket) -> bytes:
    received = b""
    while len(received) < 4 or len(received) < 4 + int.from_bytes(received[:4], "big"):
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    return received[4:]


def test_an_unknown_version_of_api_versions_is_answered_in_version_0(broker: Any) -> None:
    answer = ask(broker.port, struct.pack(">hhih", 18, 9, 77, -1) + b"\x00")
    correlation, code, count = struct.unpack_from(">ihi", answer)
    assert (correlation, code, count) == (77, 35, len(wire.APIS))
    assert len(answer) == 10 + 6 * count


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00",
        pytest.param(os.urandom(40), id="noise"),
        struct.pack(">hhih", 3, 99, 1, -1),
        struct.pack(">hhih", 999, 0, 1, -1),
        struct.pack(">hhih", 1, 11, 1, -1) + b"\x00" * 5,
        struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0x7FFFFFFF),
        struct.pack(">hhih", 3, 1, 1, 500) + b"short",
        struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">ih", 1, 4) + b"\xff\xfe\xff\xfe",
    ],
)
def test_what_is_no_request_closes_the_connection_and_nothing_else(broker: Any, payload: bytes) -> None:
    assert ask(broker.port, payload) == b""
    assert ask(broker.port, struct.pack(">hhih", 18, 0, 1, -1))
    assert "Traceback" not in broker.log.read_text()


@pytest.mark.parametrize("length", [-1, 0, 1 << 30])
def test_a_frame_of_an_absurd_length_is_not_read(broker: Any, length: int) -> None:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", length) + b"x" * 100)
        assert answer_of(connection) == b""


@pytest.mark.parametrize("policy", ["interval", "always"])
async def test_every_fsync_policy_keeps_what_it_acknowledged(run_broker: Callable[..., Any], policy: str) -> None:
    broker = run_broker("--fsync", policy, "--fsync-seconds", "0.05")
    await create(broker, "t", 1)
    producer = AIOKafkaProducer(bootstrap_servers=broker.servers, acks="all", enable_idempotence=True)
    await producer.start()
    await asyncio.gather(*[await producer.send("t", b"%d" % number) for number in range(100)])
    await producer.stop()
    broker.kill()
    broker.start()
    assert len(await stored(broker, "t", 100)) == 100


async def test_retention_works_while_the_broker_runs(run_broker: Callable[..., Any], eventually: Any) -> None:
    broker = run_broker("--housekeeping-seconds", "0.1")
    client = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await client.start()
    await client.create_topics([NewTopic("t", 1, 1, topic_configs={"retention.ms": "1000"})])
    await client.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.servers)
    await producer.start()
    await producer.send_and_wait("t", b"old", timestamp_ms=1000)
    await producer.stop()
    folder: Path = broker.folder / "topics" / "t"
    eventually(lambda: [file.stem for file in (folder / "0").glob("*.log")] == [f"{1:020d}"])
    assert json.loads((folder / "topic.json").read_text())["partitions"] == 1
