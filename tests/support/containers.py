"""Kafka, PostgreSQL and MinIO in containers, for those who have Docker: the images of docker-compose.yml."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import boto3
import docker
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from fenta.embedded.environment import BUCKET, REGION
from fenta.embedded.processes import HOST, free_port
from tests.support.speech import brokers
from tools.documents import ROOT

READY_SECONDS = 120.0
IMAGES = {
    name: part["image"]
    for name, part in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].items()
    if "image" in part
}


class NoEngine(Exception):
    """No Docker engine answers here."""


@dataclass(frozen=True)
class Part:
    """One container: what it runs, where it listens inside and out, what it is told, and what the product is told."""

    image: str
    inside: int
    outside: int
    environment: dict[str, str]
    told: dict[str, str]
    ready: Callable[[], bool]
    command: list[str] = field(default_factory=list)

    def container(self) -> DockerContainer:
        """Not started yet. Only this machine reaches its port."""
        container = DockerContainer(self.image, env=dict(self.environment))
        container.ports = {f"{self.inside}/tcp": (HOST, self.outside)}
        return container.with_command(self.command) if self.command else container


def kafka(port: int) -> Part:
    """One node; clients outside are told of the port outside."""
    address = f"{HOST}:{port}"
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{address}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    told = {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_REPLICATION_FACTOR": "1"}
    return Part(IMAGES["kafka"], 9092, port, environment, told, lambda: brokers(address) == 1)


def postgres(port: int) -> Part:
    password = secrets.token_urlsafe(12)
    url = f"postgresql://fenta_admin:{password}@{HOST}:{port}/fenta"
    environment = {"POSTGRES_USER": "fenta_admin", "POSTGRES_DB": "fenta", "POSTGRES_PASSWORD": password}
    return Part(IMAGES["postgres"], 5432, port, environment, {"DATABASE_URL": url}, lambda: _lets_in(url))


def _lets_in(url: str) -> bool:
    async def look() -> None:
        await (await asyncpg.connect(url, ssl=False)).close()

    try:
        asyncio.run(look())
    except (OSError, asyncpg.PostgresError):
        return False
    return True


def minio(port: int) -> Part:
    key, secret = "fenta", secrets.token_urlsafe(24)
    told = {
        "S3_ENDPOINT_URL": f"http://{HOST}:{port}",
        "S3_PUBLIC_URL": f"http://{HOST}:{port}",
        "S3_BUCKET_NAME": BUCKET,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
    }
    environment = {"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret}
    return Part(IMAGES["minio"], 9000, port, environment, told, lambda: _has_bucket(told), ["server", "/data"])


def store(told: dict[str, str]) -> Any:
    """A client of the store that these settings name."""
    return boto3.client(
        "s3",
        endpoint_url=told["S3_ENDPOINT_URL"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        region_name=told["AWS_REGION"],
    )


def _has_bucket(told: dict[str, str]) -> bool:
    client = store(told)
    try:
        if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=BUCKET)
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def parts() -> list[Part]:
    return [kafka(free_port()), postgres(free_port()), minio(free_port())]


@contextmanager
def running(chosen: list[Part]) -> Iterator[dict[str, str]]:
    """The settings under which the product finds them; NoEngine where they cannot run."""
    try:
        docker.from_env().close()
    except DockerException as error:
        raise NoEngine(f"no Docker engine answers: {error}") from error
    with ExitStack() as stack:
        for part in chosen:
            stack.enter_context(part.container())
        for part in chosen:
            _await(part)
        yield {name: value for part in chosen for name, value in part.told.items()}


def _await(part: Part) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not part.ready():
        assert time.monotonic() < deadline, f"{part.image} does not come up"
        time.sleep(0.2)
