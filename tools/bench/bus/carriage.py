"""T5: the relay alone, from a full outbox to Kafka, beside a producer that sends the same records in batches."""

import time
from typing import Any

import uvloop
from sqlalchemy import text

from fenta.chassis.database import Database, open_database
from fenta.chassis.kafka import send_all, start_producer
from fenta.chassis.outbox import OutboxRow, outbox_row
from fenta.chassis.relay import BATCH_EVENTS, MOST_BATCHES, Relay
from fenta.embedded.topics import create_topics
from tools.bench.bus.path import step_of
from tools.bench.bus.stage import SERVICE, Stage, stage
from tools.bench.page import result

ROUNDS = 7
ROWS = 20_000
EVENTS_PER_TRANSACTION = 500


def run() -> list[dict[str, Any]]:
    with stage() as here:
        rounds = uvloop.run(_rounds(here))
    return [
        result("bus.relay", "events per second, relay alone", [relay for relay, _ in rounds]),
        result("T5", "relay alone / producer in batches", [relay / bare for relay, bare in rounds], goal=">= 0.5"),
    ]


async def _rounds(here: Stage) -> list[tuple[float, float]]:
    await create_topics(here.servers, partitions_max=here.partitions, replication=1)
    producer = await start_producer(here.settings)
    async with open_database(here.url, service=SERVICE) as database:
        relay = Relay(database=database, settings=here.settings, service=SERVICE)
        rounds = []
        for _ in range(ROUNDS + 1):
            rows = [outbox_row(step_of(f"job_{number}", 1), source=SERVICE) for number in range(ROWS)]
            rounds.append((await _relayed(database, relay, producer), await _sent(producer, rows)))
        await relay.close()
    await producer.stop()
    return rounds[1:]


async def _relayed(database: Database, relay: Relay, producer: Any) -> float:
    for start in range(0, ROWS, EVENTS_PER_TRANSACTION):
        async with database.transaction() as session:
            for number in range(start, start + EVENTS_PER_TRANSACTION):
                session.publish(step_of(f"job_{number}", 1))
    started = time.perf_counter()
    while await relay.relay_batches(producer) == MOST_BATCHES:
        pass
    seconds = time.perf_counter() - started
    async with database.transaction() as session:
        if await session.scalar(text("SELECT count(*) FROM outbox")):
            raise RuntimeError("the relay has left something behind")
    return ROWS / seconds


async def _sent(producer: Any, rows: list[OutboxRow]) -> float:
    started = time.perf_counter()
    for start in range(0, ROWS, BATCH_EVENTS):
        await send_all(producer, rows[start : start + BATCH_EVENTS])
    return ROWS / (time.perf_counter() - started)
