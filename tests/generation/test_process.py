"""`python -m fenta.generation` on a real stack, killed in each gap: each provider call is made once, and answered."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.testing import record_of
from fenta.contracts.events import Event
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.processes import free_port
from fenta.embedded.topics import create_topics
from tests.conftest import service_url, until
from tests.embedded.conftest import RunningPart
from tests.generation import steps
from tests.support.broker import BrokerProcess
from tests.support.crash import armed

GAPS = ("generation.intended", "generation.submitted", "generation.adopted", "generation.fetched")
STORE_KEYS = {"AWS_ACCESS_KEY_ID": "fenta", "AWS_SECRET_ACCESS_KEY": "only-for-tests", "S3_BUCKET_NAME": "made"}


class GenerationProcess:
    """The service on ports of its own; it dies by itself at the crash points it is armed with."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = {**os.environ, **environment, "HTTP_PORT": str(free_port()), "ADMIN_PORT": str(free_port())}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, dying_at: Sequence[str] = ()) -> None:
        gaps = armed(self._folder / "crash", *dying_at)
        with (self._folder / "generation.log").open("ab") as log:
            command = [sys.executable, "-m", "fenta.generation"]
            self._process = subprocess.Popen(command, env=self._environment | gaps, stdout=log, stderr=log)

    async def died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def end(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def calls(self) -> list[str]:
        """The keys in the engines' own ledger."""
        ledger = self._folder / "engines" / "ledger.jsonl"
        return [json.loads(line)["key"] for line in ledger.read_text().splitlines()] if ledger.exists() else []


@pytest.fixture
def object_store(tmp_path: Path) -> Iterator[RunningPart]:
    part = RunningPart("fenta.embedded.objectstore", tmp_path / "store", environment={**os.environ, **STORE_KEYS})
    yield part
    part.stop()


@pytest.fixture
def process(
    migrated: EmbeddedPostgres, fresh_database: str, broker: BrokerProcess, object_store: RunningPart, tmp_path: Path
) -> Iterator[GenerationProcess]:
    environment = {
        "DATABASE_URL": service_url(migrated, fresh_database, "generation"),
        "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "S3_ENDPOINT_URL": f"http://{object_store.servers}",
        "ENGINE_FOLDER": str(tmp_path / "engines"),
        **STORE_KEYS,
    }
    process = GenerationProcess(environment, tmp_path)
    yield process
    process.kill()


@pytest.fixture
async def producer(broker: BrokerProcess) -> AsyncIterator[AIOKafkaProducer]:
    await create_topics(broker.servers, partitions_max=1, replication=1)
    async with AIOKafkaProducer(bootstrap_servers=broker.servers, acks="all") as producer:
        yield producer


async def send(producer: AIOKafkaProducer, event: Event) -> None:
    record = record_of(event)
    await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))


async def test_killed_in_every_gap_it_calls_once_and_answers_once(
    process: GenerationProcess, producer: AIOKafkaProducer, database: Database
) -> None:
    asked = [steps.picture_request(f"image[{gap}]") for gap in GAPS]
    for gap, ask in zip(GAPS, asked, strict=True):
        process.start(dying_at=[gap])
        await send(producer, ask)
        await until(process.died)
    process.start()

    async def all_answered() -> bool:
        async with database.transaction() as session:
            states = list(await session.scalars(text("SELECT state FROM provider_task")))
        return states == ["answered"] * len(GAPS)

    await until(all_answered)
    assert process.end() == 0
    assert sorted(process.calls()) == sorted(ask.step_id for ask in asked)
