"""A broker with its topics, and what tests send to it and read from it as any Kafka client would."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from fenta.chassis.settings import Settings
from fenta.chassis.testing import record_of
from fenta.contracts.events import Event
from tests.support.broker import BrokerProcess
from tests.support.kafka import RealKafka

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Sent:
    """A record as a test makes it, right or wrong."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = field(default_factory=tuple)
    partition: int | None = None
    timestamp_ms: int | None = None


def sent(event: Event, event_id: str | None = None, *, headers: Headers = (), **other: Any) -> Sent:
    """An event as its producer would send it; `headers` and `other` change what makes it wrong."""
    record = record_of(event, event_id=event_id)
    kept = {"topic": record.topic, "value": record.value, "key": record.key} | other
    changed = {name for name, _ in headers}
    return Sent(headers=(*(pair for pair in record.headers if pair[0] not in changed), *headers), **kept)


@dataclass
class Bus:
    """A broker of the test's own, embedded or real."""

    broker: BrokerProcess | RealKafka

    async def send(self, *records: Sent) -> None:
        await send(self.broker.servers, *records)

    async def read(self, topic: str, count: int, *, seconds: float = 30) -> "list[ConsumerRecord[bytes, bytes]]":
        """The first records of a topic, once there are so many."""
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=self.broker.servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(seconds):
                return await _gather(consumer, count)
        finally:
            await consumer.stop()

    async def ends(self, topic: str, partitions: int = 3) -> int:
        """How many records a topic holds."""
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.broker.servers)
        await consumer.start()
        try:
            return sum((await consumer.end_offsets(places)).values())
        finally:
            await consumer.stop()

    async def acknowledged(self, group: str) -> int:
        """How many records a group need not read again."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.servers)
        await admin.start()
        try:
            return sum(place.offset for place in (await admin.list_consumer_group_offsets(group)).values())
        finally:
            await admin.close()


async def send(servers: str, *records: Sent) -> None:
    """Returns when the broker has all of them. Compressed, so that a value may be larger than what a broker takes."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", linger_ms=20, compression_type="gzip", max_request_size=8 << 20
    )
    await producer.start()
    try:
        acks = [
            await producer.send(
                one.topic,
                one.value,
                key=one.key,
                headers=list(one.headers),
                partition=one.partition,
                timestamp_ms=one.timestamp_ms,
            )
            for one in records
        ]
        await asyncio.gather(*acks)
    finally:
        await producer.stop()


async def _gather(consumer: Any, count: int) -> "list[ConsumerRecord[bytes, bytes]]":
    records: list[ConsumerRecord[bytes, bytes]] = []
    while len(records) < count:
        found = await consumer.getmany(timeout_ms=200)
        records += [record for batch in found.values() for record in batch]
    return records


def settings_for(database_url: str, servers: str, *, instance_id: str = "0", **other: Any) -> Settings:
    """The settings of a service under test, given rather than read from the environment."""
    http_port, admin_port = free_ports(2)
    return Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=servers,
        instance_id=instance_id,
        http_port=http_port,
        admin_port=admin_port,
        kafka_session_timeout_seconds=6,
        **other,
    )


def free_ports(count: int) -> Sequence[int]:
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_ports]
    for server in with_ports:
        server.close()
    return ports
