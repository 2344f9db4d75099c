"""What tests of a broker ask aiokafka to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.speech import until_known

DEADLINE = 30


@asynccontextmanager
async def administrator(part: Any) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=part.servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create(part: Any, name: str, partitions: int = 3, **options: Any) -> tuple[int, str | None]:
    async with administrator(part) as client:
        validate = options.pop("validate_only", False)
        topic = NewTopic(
            name, partitions, options.pop("factor", part.replication), topic_configs=options.pop("configs", None)
        )
        answer = await client.create_topics([topic], validate_only=validate)
        _, code, sentence = answer.topic_errors[0]
    if code == 0 and not validate:
        await asyncio.to_thread(until_known, part.servers, name, partitions)
    return code, sentence


@asynccontextmanager
async def producing(part: Any, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    settings = {"acks": "all", "enable_idempotence": True, "request_timeout_ms": 5000, **options}
    producer = AIOKafkaProducer(bootstrap_servers=part.servers, **settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(part: Any, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    settings = {
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 3000,
        "heartbeat_interval_ms": 200,
        **options,
    }
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=part.servers, **settings)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read(consumer: AIOKafkaConsumer, count: int) -> list[Any]:
    records: list[Any] = []
    async with asyncio.timeout(DEADLINE):
        while len(records) < count:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    return records


async def assigned(*consumers: AIOKafkaConsumer, counts: list[int]) -> None:
    """Waits until the partitions are shared out like this."""
    async with asyncio.timeout(DEADLINE):
        while sorted(len(consumer.assignment()) for consumer in consumers) != counts:
            for consumer in consumers:
                await consumer.getmany(timeout_ms=20)
