"""How we connect to Kafka and how we leave it: fresh clients on each try, stopped with a deadline."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from fenta.chassis.outbox import OutboxRow
from fenta.chassis.settings import Settings

_MECHANISMS = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def connection(settings: Settings) -> dict[str, Any]:
    """Arguments that producers, consumers and admin clients share."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_servers,
        "request_timeout_ms": 10_000,
        "retry_backoff_ms": 200,
    }
    if settings.kafka_security_protocol != "PLAINTEXT":
        arguments["security_protocol"] = settings.kafka_security_protocol
    if "SSL" in settings.kafka_security_protocol:
        arguments["ssl_context"] = ssl.create_default_context(
            cafile=str(settings.kafka_ssl_cafile) if settings.kafka_ssl_cafile else None
        )
    if settings.kafka_sasl_mechanism:
        password = settings.kafka_sasl_password
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return arguments


async def start_producer(settings: Settings) -> AIOKafkaProducer:
    """A producer that neither loses nor doubles: acks from all replicas, idempotent.

    It waits for nobody to fill its batches: `send_all` gives it whole ones.
    """
    producer = AIOKafkaProducer(**connection(settings), acks="all", enable_idempotence=True, max_batch_size=131_072)
    try:
        await producer.start()
    except BaseException:
        await stop_client(producer)
        raise
    return producer


async def send_all(producer: AIOKafkaProducer, rows: Sequence[OutboxRow]) -> None:
    """Send these rows, in their order in each partition; returns once all replicas have all of them.

    Batch by batch, since a future for each record costs as much as the record.
    """
    counts = {topic: len(await producer.partitions_for(topic)) for topic in {row.topic for row in rows}}
    places: dict[tuple[str, int], list[OutboxRow]] = defaultdict(list)
    for row in rows:
        places[row.topic, _partition(row.key, counts[row.topic])].append(row)
    sent = [
        await producer.send_batch(batch, topic, partition=partition)
        for (topic, partition), gathered in places.items()
        for batch in _batches(producer, gathered)
    ]
    await asyncio.gather(*sent)


def _batches(producer: AIOKafkaProducer, rows: Sequence[OutboxRow]) -> Iterator[Any]:
    batch = producer.create_batch()
    for row in rows:
        if not _append(batch, row):
            yield batch
            batch = producer.create_batch()
            _append(batch, row)
    yield batch


def _append(batch: Any, row: OutboxRow) -> bool:
    """False when the batch is full; an empty one takes a record of any size."""
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return batch.append(key=row.key.encode(), value=row.value, timestamp=None, headers=headers) is not None


@lru_cache(maxsize=10_000)
def _partition(key: str, partitions: int) -> int:
    """As every Kafka client does it; a job's events come one after the other."""
    return int(DefaultPartitioner()(key.encode(), range(partitions), ()))


async def stop_client(client: Any, seconds: float = 5.0) -> None:
    """`stop()` can hang or raise while a broker is away; this does neither."""
    task = asyncio.ensure_future(client.stop())
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
    elif not task.cancelled():
        task.exception()


def security(settings: Settings) -> BaseSecurity | None:
    """The same in FastStream's words."""
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return None
    tls = "SSL" in protocol
    context = connection(settings).get("ssl_context")
    if "SASL" not in protocol:
        return BaseSecurity(ssl_context=context, use_ssl=tls)
    mechanism = _MECHANISMS[settings.kafka_sasl_mechanism or "PLAIN"]
    password = settings.kafka_sasl_password.get_secret_value() if settings.kafka_sasl_password else ""
    return mechanism(settings.kafka_sasl_username or "", password, ssl_context=context, use_ssl=tls)
