"""`python -m fenta.render` as it runs anywhere: real Postgres, Kafka protocol and object store, and SIGKILL midway."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from fenta.chassis.outbox import outbox_row
from fenta.chassis.settings import StorageSettings
from fenta.chassis.storage import open_storage
from fenta.contracts import documents
from fenta.contracts.events import Event, RenderCompleted, UsageRecorded
from fenta.contracts.ids import new_id, step_id
from fenta.contracts.values import Value
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.processes import free_port
from fenta.embedded.topics import create_topics
from tests.conftest import service_url, until
from tests.render.media import Shelf, timeline
from tests.render.service_parts import render_request
from tests.support.broker import BrokerProcess


class RenderProcess:
    """The service, which can be killed and started again under the same name."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._log = environment, folder / "render.log"
        self.admin = f"http://127.0.0.1:{environment['ADMIN_PORT']}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "fenta.render"]
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.admin}/readyz")).status_code == 200
            except httpx.TransportError:
                return False


@pytest.fixture
async def process(
    migrated: EmbeddedPostgres,
    fresh_database: str,
    broker: BrokerProcess,
    object_store: StorageSettings,
    tmp_path: Path,
) -> AsyncIterator[RenderProcess]:
    await create_topics(broker.servers, partitions_max=1, replication=1)
    key, secret = object_store.aws_access_key_id, object_store.aws_secret_access_key
    assert key
    assert secret
    environment = {
        **os.environ,
        "HTTP_PORT": str(free_port()),
        "ADMIN_PORT": str(free_port()),
        "DATABASE_URL": service_url(migrated, fresh_database, "render"),
        "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "S3_ENDPOINT_URL": str(object_store.s3_endpoint_url),
        "AWS_ACCESS_KEY_ID": key.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": secret.get_secret_value(),
        "S3_BUCKET_NAME": object_store.s3_bucket_name,
        "FENTA_HOME": str(tmp_path),
    }
    service = RenderProcess(environment, tmp_path)
    service.start()
    yield service
    service.kill()


async def send(servers: str, event: Event) -> None:
    row = outbox_row(event, source="workflow")
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        headers = [(name, value.encode()) for name, value in row.headers.items()]
        await producer.send_and_wait(row.topic, row.value, key=row.key.encode(), headers=headers)


@asynccontextmanager
async def reading(servers: str, *topics: str) -> AsyncIterator[Callable[[], Any]]:
    """Everything on some topics from now on."""
    found: list[Any] = []
    async with AIOKafkaConsumer(*topics, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:

        async def look() -> list[Any]:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                found.extend(records)
            return found

        yield look


async def test_a_film_survives_the_death_of_its_service(
    process: RenderProcess, broker: BrokerProcess, object_store: StorageSettings, shelf: Shelf, tmp_path: Path
) -> None:
    org_id, job_id = new_id("org"), new_id("job")
    document = timeline(shelf, ["A film with a few words to say."] * 2)
    async with open_storage(object_store, service="render") as storage:
        for path in shelf.files.values():
            await storage.put_file(org_id, path, media_type="application/octet-stream")
        sha256 = await storage.put(org_id, documents.encode(document), media_type="application/json")
    inputs = {"timeline": Value(type="timeline", asset_id=new_id("asset"), sha256=sha256)}
    request = render_request(org_id, job_id, "Output.Render", inputs, params={"resolution": "720p"})

    await until(process.ready)
    await send(broker.servers, request)

    async def encoding() -> list[Path]:
        return list((tmp_path / "work").rglob("segment-*.mp4"))

    await until(encoding)
    family = process.family()
    process.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []

    async with reading(broker.servers, "render.completed", "usage.recorded") as look:
        process.start()

        async def both() -> list[Any]:
            mine = [record for record in await look() if dict(record.headers)["ce_orgid"] == org_id.encode()]
            return mine if len(mine) >= 2 else []

        records = await until(both, seconds=60)
    made = next(RenderCompleted.model_validate_json(r.value) for r in records if r.topic == "render.completed")
    used = next(UsageRecorded.model_validate_json(r.value) for r in records if r.topic == "usage.recorded")
    assert made.step_id == used.step_id == step_id(job_id, "render")
    assert made.checks.passed
    assert list((tmp_path / "work").rglob("*.mp4")) == []
