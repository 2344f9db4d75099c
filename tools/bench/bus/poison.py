"""T10: of a batch with every kind of bad message in it, the good ones are handled and the bad ones kept."""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Session, open_database
from fenta.chassis.messages import Message, on_batch
from fenta.chassis.outbox import outbox_row
from fenta.contracts.events import StepFailed
from fenta.embedded.topics import create_topics
from tools.bench.bus.path import step_of
from tools.bench.bus.stage import SERVICE, Stage, stage
from tools.bench.page import result

GOOD = 400
TOPIC = "step.failed"
WAIT_SECONDS = 60.0

Headers = list[tuple[str, bytes | None]]


def run() -> list[dict[str, Any]]:
    with stage() as here:
        share = uvloop.run(_share(here))
    return [result("T10", "good messages handled and bad ones kept, beside bad ones, share", [share], goal=">= 1")]


def _record(number: int) -> tuple[bytes | None, Headers]:
    row = outbox_row(step_of(f"job_{number}", 1), source=SERVICE)
    return row.value, [(name, value.encode()) for name, value in row.headers.items()]


def _bad() -> Sequence[tuple[bytes | None, Headers]]:
    value, headers = _record(GOOD + 1)
    without_id = [pair for pair in headers if pair[0] != "ce_id"]
    return [
        (value, [*without_id, ("ce_id", b"\xff\xfe")]),
        (value, [*without_id, ("ce_id", None)]),
        (value, without_id),
        (b"{", headers),
        (b"[]", headers),
        (b'{"org_id": 7}', headers),
        (None, headers),
    ]


async def _share(here: Stage) -> float:
    await create_topics(here.servers, partitions_max=here.partitions, replication=1)
    handled: set[str] = set()

    async def note(_session: Session, messages: Sequence[Message[StepFailed]]) -> None:
        handled.update(message.event.job_id for message in messages)

    await _send(here.servers)
    async with open_database(here.url, service=SERVICE) as database:
        consumer = Consumer(
            service=SERVICE, database=database, settings=here.settings, routes=[on_batch([StepFailed], note)],
            on_fatal=print,
        )  # fmt: skip
        running = asyncio.create_task(consumer.run())
        kept = 0
        async with asyncio.timeout(WAIT_SECONDS):
            while len(handled) < GOOD or kept < len(_bad()):
                await asyncio.sleep(0.2)
                async with database.transaction() as session:
                    kept = int(await session.scalar(text("SELECT count(*) FROM dead_letter")) or 0)
        running.cancel()
        await asyncio.wait({running})
    return (len(handled) + kept) / (GOOD + len(_bad()))


async def _send(servers: str) -> None:
    """All in one batch of one partition, the bad ones among the good."""
    records = [_record(number) for number in range(GOOD)]
    for place, bad in enumerate(_bad()):
        records.insert(50 * place, bad)
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=50)
    await producer.start()
    sent = [await producer.send(TOPIC, value, key=b"job", headers=headers, partition=0) for value, headers in records]
    await asyncio.gather(*sent)
    await producer.stop()
