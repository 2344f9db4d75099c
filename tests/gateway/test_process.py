"""Two real gateway processes over Kafka and Postgres, one of which is killed."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from fenta.chassis.testing import record_of
from fenta.contracts.events import Event
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.embedded.processes import free_port
from fenta.embedded.topics import create_topics
from tests.conftest import service_url, until
from tests.gateway.conftest import KEYS, bearer, register
from tests.gateway.events import Story
from tests.gateway.test_live import read, shown, whole
from tests.support.broker import BrokerProcess

Produce = Callable[..., Awaitable[None]]


class GatewayProcess:
    """`python -m fenta.gateway` on ports that stay the same over restarts."""

    def __init__(self, instance_id: str, environment: dict[str, str], log: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = log
        self._environment = os.environ | environment | {
            "INSTANCE_ID": instance_id, "HTTP_PORT": str(self._port), "ADMIN_PORT": str(free_port()),
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fenta.gateway"], env=self._environment, stdout=log, stderr=log
            )
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:

            async def ready() -> bool:
                assert self._process is not None
                assert self._process.poll() is None, self._log.read_text()[-3000:]
                try:
                    return (await client.get("/readyz?strict=true")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)

    def end(self, how: Callable[["subprocess.Popen[bytes]"], None]) -> int:
        assert self._process is not None
        how(self._process)
        return self._process.wait(20)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@pytest.fixture
async def produce(broker: BrokerProcess) -> AsyncIterator[Produce]:
    """Send events to Kafka as the other services' relays would."""
    await create_topics(broker.servers, partitions_max=3, replication=1)
    producer = AIOKafkaProducer(bootstrap_servers=broker.servers, acks="all")
    await producer.start()

    async def send(*events: Event) -> None:
        for event in events:
            record = record_of(event)
            await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))

    yield send
    await producer.stop()


@pytest.fixture
def processes(
    broker: BrokerProcess, migrated: EmbeddedPostgres, fresh_database: str, tmp_path: Path
) -> Iterator[list[GatewayProcess]]:
    nowhere = "http://127.0.0.1:9"
    environment = {
        "DATABASE_URL": service_url(migrated, fresh_database, "gateway"),
        "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "JWT_SIGNING_KEYS": KEYS,
        "S3_ENDPOINT_URL": nowhere,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PASSWORD_MEMORY_KIB": "8",
        "PASSWORD_ROUNDS": "1",
    } | dict.fromkeys(
        ("WORKFLOW_URL", "GENERATION_URL", "FANTA_PROJEKT_API_URL", "BILLING_URL", "NOTIFIER_URL"), nowhere
    )
    made = [GatewayProcess(str(number), environment, tmp_path / f"gateway-{number}.log") for number in (0, 1)]
    yield made
    for process in made:
        if process.running():
            process.end(lambda process: process.kill())


async def test_a_killed_gateway_comes_back_and_the_other_serves_what_it_writes(
    processes: list[GatewayProcess], produce: Produce
) -> None:
    first, second = processes
    await first.start()
    await second.start()
    async with (
        httpx.AsyncClient(base_url=first.url, trust_env=False) as near,
        httpx.AsyncClient(base_url=second.url, trust_env=False, timeout=30) as far,
    ):
        tokens = await register(near)
        headers = bearer(tokens["access_token"]) | {"accept": "text/event-stream"}
        story = Story(tokens["user"]["organisations"][0]["id"])
        path = f"/v1/jobs/{story.job_id}/events"
        events = whole(story)
        durable = [event for event in events if not event.lossy]
        await produce(durable[0])

        async def known() -> bool:
            return (await far.get(path, headers=bearer(tokens["access_token"]))).status_code == 200

        await until(known)
        async with far.stream("GET", path, headers=headers) as answer:
            first.end(lambda process: process.kill())
            await produce(*durable[1:])
            await first.start()
            told = shown(await read(answer))
        assert [kind for _, kind in told] == [
            "job.queued", "job.started", "asset.created", "step.completed", "asset.created", "asset.created",
            "job.completed",
        ]  # fmt: skip
        assert [seq for seq, _ in told] == list(range(1, 8))
        async with httpx.AsyncClient(base_url=first.url, trust_env=False) as again:
            listed = await again.get("/v1/assets", headers=bearer(tokens["access_token"]))
        assert len(listed.json()["data"]) == 3
    assert [process.end(lambda process: process.terminate()) for process in processes] == [0, 0]


def test_wrong_settings_stop_the_start_with_all_mistakes_and_no_secret(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"], "JWT_SIGNING_KEYS": json.dumps({"k1": "c2VjcmV0"}), "WORKFLOW_URL": "workflow:80",
        "DEFAULT_PLAN": "platinum",
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-m", "fenta.gateway"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 78
    for name in ("JWT_SIGNING_KEYS", "WORKFLOW_URL", "DEFAULT_PLAN", "DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        assert name in run.stderr
    assert "c2VjcmV0" not in run.stderr
