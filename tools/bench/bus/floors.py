"""The least that could be done: one row per transaction, one notification, one record."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

CONNECTIONS = 16
ROWS = 16_000

_TABLE = "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, body text)"
_INSERT = "INSERT INTO floor (body) VALUES ($1)"
_BODY = "x" * 200
_TOPIC = "job.progressed"
_PLACE = TopicPartition(_TOPIC, 0)


async def inserts(url: str) -> float:
    """Rows per second when each is a transaction of its own, at 16 connections."""
    connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
    await connections[0].execute(_TABLE)
    started = time.perf_counter()
    await asyncio.gather(*(_insert(connection, ROWS // CONNECTIONS) for connection in connections))
    seconds = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return ROWS / seconds


async def _insert(connection: Any, rows: int) -> None:
    for _ in range(rows):
        await connection.execute(_INSERT, _BODY)


class Hops:
    """What a hop is made of. Each answers the seconds that it took."""

    def __init__(self, teller: Any, heard: "asyncio.Queue[float]", producer: Any, consumer: Any) -> None:
        self._teller = teller
        self._heard = heard
        self._producer = producer
        self._consumer = consumer

    async def whole(self) -> float:
        """From the insertion of a row to whoever has its record: commit, notification, record."""
        started = time.perf_counter()
        await self._teller.execute(_INSERT, _BODY)
        await self._teller.execute("NOTIFY hop")
        await self._heard.get()
        return await _carried(self._producer, self._consumer) - started

    async def notification(self) -> float:
        """To whoever listens for it."""
        started = time.perf_counter()
        await self._teller.execute("NOTIFY hop")
        return await self._heard.get() - started

    async def record(self) -> float:
        """From its sending to whoever waits for it."""
        started = time.perf_counter()
        return await _carried(self._producer, self._consumer) - started


@asynccontextmanager
async def open_hops(url: str, servers: str) -> AsyncIterator[Hops]:
    """On connections of their own."""
    async with _ear(url) as (teller, heard), _pair(servers) as (producer, consumer):
        await teller.execute(_TABLE)
        yield Hops(teller, heard, producer, consumer)


async def _carried(producer: Any, consumer: Any) -> float:
    """When a record that is sent now was there."""
    sending = asyncio.create_task(producer.send_and_wait(_TOPIC, b"{}", partition=_PLACE.partition))
    await consumer.getone()
    arrived = time.perf_counter()
    await sending
    return arrived


@asynccontextmanager
async def _ear(url: str) -> AsyncIterator[tuple[Any, asyncio.Queue[float]]]:
    """A connection that tells, and when another one heard it."""
    teller, listener = await asyncpg.connect(url), await asyncpg.connect(url)
    heard: asyncio.Queue[float] = asyncio.Queue()
    await listener.add_listener("hop", lambda *_: heard.put_nowait(time.perf_counter()))
    try:
        yield teller, heard
    finally:
        await listener.close()
        await teller.close()


@asynccontextmanager
async def _pair(servers: str) -> AsyncIterator[tuple[Any, Any]]:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await producer.start()
    await consumer.start()
    # Of several partitions the client would leave out now and then the one that has the next record, for half a second.
    consumer.assign([_PLACE])
    await consumer.seek_to_end()
    try:
        yield producer, consumer
    finally:
        await consumer.stop()
        await producer.stop()
