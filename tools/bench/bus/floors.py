"""The least that could be done: one row per transaction, one notification, one record."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

CONNECTIONS = 16
ROWS = 16_000


async def inserts(url: str) -> float:
    """Rows per second when each is a transaction of its own, at 16 connections."""
    connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
    await connections[0].execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, body text)")
    started = time.perf_counter()
    await asyncio.gather(*(_insert(connection, ROWS // CONNECTIONS) for connection in connections))
    seconds = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return ROWS / seconds


async def _insert(connection: Any, rows: int) -> None:
    for _ in range(rows):
        await connection.execute("INSERT INTO floor (body) VALUES ($1)", "x" * 200)


async def notifications(url: str, times: int, pause_seconds: float) -> Sequence[float]:
    """Seconds from a notification to whoever listens for it."""
    teller, listener = await asyncpg.connect(url), await asyncpg.connect(url)
    arrived: asyncio.Queue[float] = asyncio.Queue()
    await listener.add_listener("hop", lambda *_: arrived.put_nowait(time.perf_counter()))
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await teller.execute("NOTIFY hop")
        taken.append(await arrived.get() - started)
        await asyncio.sleep(pause_seconds)
    await teller.close()
    await listener.close()
    return taken


async def records(servers: str, times: int, pause_seconds: float) -> Sequence[float]:
    """Seconds from the sending of a record to whoever waits for it."""
    taken = []
    async with _pair(servers, "job.progressed") as (producer, consumer):
        for _ in range(times):
            started = time.perf_counter()
            sending = asyncio.create_task(producer.send_and_wait("job.progressed", b"{}"))
            await consumer.getone()
            taken.append(time.perf_counter() - started)
            await sending
            await asyncio.sleep(pause_seconds)
    return taken


@asynccontextmanager
async def _pair(servers: str, topic: str) -> AsyncIterator[tuple[Any, Any]]:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers)
    await producer.start()
    await consumer.start()
    try:
        yield producer, consumer
    finally:
        await consumer.stop()
        await producer.stop()
