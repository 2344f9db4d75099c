"""Steps per second through the whole path, against one INSERT and COMMIT per step at 16 connections.

A step is an outbox row, sent by the relay to Kafka, read by the consumer, claimed in the inbox, stored as a task,
leased by a worker, and finished behind the fence together with the outbox row of the next step.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from pydantic import SecretStr

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.endings import Endings
from fenta.chassis.messages import Message, on_batch
from fenta.chassis.relay import Relay
from fenta.chassis.service import settle_memory
from fenta.chassis.settings import Settings
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.telemetry import set_up_logging
from fenta.chassis.workers import Workers
from fenta.contracts.events import Problem, StepFailed
from fenta.embedded.migrate import migrate_all
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.topics import create_topics
from tools.bench.page import result

ROUNDS = 7
JOBS = 2000
STEPS_PER_JOB = 5
SLOTS = 1000
CONNECTIONS = 16
FLOOR_ROWS = 16_000
PASSWORD = "only-for-benches"  # noqa: S105  of a server that lives for a minute
SERVICE = "workflow"
ERROR = Problem.model_validate({"class": "internal", "code": "bench", "message": "a step"})


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=("max_connections=100",))
        server.start()
        broker = _broker(Path(folder) / "broker")
        try:
            migrate_all(server.url, {SERVICE: PASSWORD}, services=(SERVICE,))
            url = f"postgresql://fenta_{SERVICE}:{PASSWORD}@127.0.0.1:{server.port}/postgres"
            rounds = uvloop.run(_rounds(url, _ready(broker)))
        finally:
            broker.terminate()
            broker.wait()
            server.stop()
    floors, steps = zip(*rounds, strict=True)
    return [
        result("bus.floor", "INSERT and COMMIT per second, 16 connections", floors),
        result("bus.steps", "steps per second, one process, whole path", steps),
        result("bus.ratio", "steps / INSERTs", [step / floor for floor, step in rounds], goal=">= 0.8"),
    ]


def _broker(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "fenta.embedded.broker", str(folder), "--port", "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _ready(broker: "subprocess.Popen[bytes]") -> str:
    return str(json.loads(broker.stdout.readline())["bootstrap"]) if broker.stdout else ""


async def _rounds(url: str, servers: str) -> list[tuple[float, float]]:
    """All in turn; the first round warms up and does not count."""
    await create_topics(servers, partitions_max=3, replication=1)
    async with _path(url, servers) as path:
        settle_memory()
        rounds = [(await _floor(url), await path.round()) for _ in range(ROUNDS + 1)]
    return rounds[1:]


async def _floor(url: str) -> float:
    """Rows per second when each is a transaction of its own."""
    connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
    await connections[0].execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, body text)")
    started = time.perf_counter()
    await asyncio.gather(*(_insert(connection, FLOOR_ROWS // CONNECTIONS) for connection in connections))
    seconds = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return FLOOR_ROWS / seconds


async def _insert(connection: Any, rows: int) -> None:
    for _ in range(rows):
        await connection.execute("INSERT INTO floor (body) VALUES ($1)", "x" * 200)


class _Path:
    """A service that turns each step's event into a task and each task into the next step's event."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._endings = Endings(database)
        self._left = 0
        self._done = asyncio.Event()
        self.workers: Workers | None = None

    async def round(self) -> float:
        self._left = steps = JOBS * STEPS_PER_JOB
        self._done.clear()
        started = time.perf_counter()
        async with self._database.transaction() as session:
            for number in range(JOBS):
                session.publish(_step(f"job_{time.time_ns()}_{number}", 1))
        await self._done.wait()
        return steps / (time.perf_counter() - started)

    async def store(self, session: Session, messages: Sequence[Message[StepFailed]]) -> None:
        events = [message.event for message in messages]
        if self.workers:
            await self.workers.add(session, [_task(event) for event in events])

    async def perform(self, lease: Lease) -> None:
        number = lease.payload["number"]
        following = [_step(lease.payload["job_id"], number + 1)] if number < STEPS_PER_JOB else []
        await self._endings.finish(lease, *following)
        self._left -= 1
        if not self._left:
            self._done.set()

    async def give_up(self, lease: Lease, error: Exception) -> None:
        raise error

    async def cancelled(self, lease: Lease, reason: str) -> None:
        raise AssertionError(reason)


def _step(job_id: str, number: int) -> StepFailed:
    """Any event that one service may both write and read."""
    return StepFailed(
        org_id=f"org_{hash(job_id) % 20}", job_id=job_id, step_id=f"{job_id}/{number}", step_key=str(number),
        node_type="Script.Generate", step_type="SCRIPT", error=ERROR,
    )  # fmt: skip


def _task(event: StepFailed) -> Task:
    payload = {"job_id": event.job_id, "number": int(event.step_key)}
    return Task(id=event.step_id, kind="step", org_id=event.org_id, lane="high", payload=payload)


@asynccontextmanager
async def _path(url: str, servers: str) -> AsyncIterator[_Path]:
    set_up_logging(service=SERVICE, level="WARNING", environment="local")
    settings = Settings(
        database_url=SecretStr(url), kafka_bootstrap_servers=servers, http_port=1, admin_port=1,
    )  # fmt: skip
    async with open_database(url, service=SERVICE) as database:
        path = _Path(database)
        path.workers = Workers(
            database=database, executor=path, instance_id="0", service=SERVICE, slots={"high": SLOTS}, on_fatal=print
        )
        consumer = Consumer(
            service=SERVICE, database=database, settings=settings, routes=[on_batch([StepFailed], path.store)],
            on_fatal=print,
        )  # fmt: skip
        relay = Relay(database=database, settings=settings, service=SERVICE)
        running = [asyncio.create_task(part.run()) for part in (path.workers, consumer, relay)]
        try:
            yield path
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
