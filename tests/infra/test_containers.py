"""The parts of production in containers: right on paper everywhere, and in use where there is Docker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testcontainers.core import container as testcontainers

from fenta.contracts.topics import SERVICES, all_topics
from fenta.embedded.migrate import migrate_all
from fenta.embedded.topics import apply_topics
from tests.support.containers import NoEngine, kafka, minio, parts, postgres, running, store

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def containers() -> Iterator[dict[str, str]]:
    """All three run; these are the settings that lead to them."""
    try:
        with running(parts()) as told:
            yield told
    except NoEngine as missing:
        pytest.skip(f"Containers cannot run here: {missing}")


async def test_the_product_prepares_its_parts(containers: dict[str, str]) -> None:
    applied = await apply_topics(containers["KAFKA_BOOTSTRAP_SERVERS"], partitions_max=3, replication=None)
    assert sorted(applied.created) == sorted(topic.name for topic in all_topics())
    migrate_all(containers["DATABASE_URL"], dict.fromkeys(SERVICES, "only-for-tests"))
    client = store(containers)
    client.put_object(Bucket=containers["S3_BUCKET_NAME"], Key="k", Body=b"kept")
    assert client.get_object(Bucket=containers["S3_BUCKET_NAME"], Key="k")["Body"].read() == b"kept"
    client.close()


def bare(environment: dict[str, str]) -> set[str]:
    return {name.removesuffix("_FILE") for name in environment}


@pytest.mark.parametrize(("make", "name"), [(kafka, "kafka"), (postgres, "postgres"), (minio, "minio")])
def test_a_container_is_that_of_production(make: Any, name: str) -> None:
    part = make(12345)
    assert part.image == COMPOSE[name]["image"]
    assert set(part.environment) <= bare(COMPOSE[name]["environment"])
    assert part.command == COMPOSE[name].get("command", [])


def test_what_the_product_is_told_leads_to_the_port_outside() -> None:
    assert kafka(12345).environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:12345"
    assert kafka(12345).told["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:12345"
    assert "@127.0.0.1:12346/fenta" in postgres(12346).told["DATABASE_URL"]
    assert minio(12347).told["S3_ENDPOINT_URL"] == "http://127.0.0.1:12347"
    server, shelf = postgres(12346), minio(12347)
    assert f":{server.environment['POSTGRES_PASSWORD']}@" in server.told["DATABASE_URL"]
    assert shelf.environment["MINIO_ROOT_PASSWORD"] == shelf.told["AWS_SECRET_ACCESS_KEY"]


def test_only_this_machine_reaches_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testcontainers, "DockerClient", lambda **options: None)
    made = [(part, part.container()) for part in parts()]
    assert [container.ports for _, container in made] == [
        {f"{inside}/tcp": ("127.0.0.1", part.outside)}
        for inside, (part, _) in zip((9092, 5432, 9000), made, strict=True)
    ]
    assert [container.image for _, container in made] == [part.image for part, _ in made]
    assert [container.env for _, container in made] == [part.environment for part, _ in made]
    assert len({part.outside for part, _ in made}) == 3
