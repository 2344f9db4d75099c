"""The topic table in a cluster: made, kept as the table says, and what Kafka cannot change is said aloud."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fenta.contracts.topics import TOPICS, all_topics
from fenta.embedded.topics import Applied, TopicsRefused, apply_topics
from tests.broker.clients import create
from tests.conftest import until
from tests.support.speech import until_known

DAY_MS = 24 * 3600 * 1000
JOB = TOPICS["job.requested"]


def described(broker: Any, name: str) -> tuple[int, int, dict[str, str]]:
    """Partitions, replicas, settings."""
    client = AdminClient({"bootstrap.servers": broker.servers})
    partitions = client.list_topics(name, 10).topics[name].partitions
    resource = ConfigResource(ResourceType.TOPIC, name)
    settings = {key: entry.value for key, entry in client.describe_configs([resource])[resource].result(10).items()}
    return len(partitions), len(partitions[0].replicas), settings


async def apply(broker: Any, *topics: Any, partitions_max: int | None = None) -> Applied:
    applied = await apply_topics(
        broker.servers, partitions_max=partitions_max, replication=broker.replication, topics=topics or None
    )
    for topic in topics:
        until_known(broker.servers, topic.name, min(topic.partitions, partitions_max or topic.partitions))
    return applied


async def keeps(broker: Any, retention_ms: int) -> bool:
    """Nodes hear of a changed setting one after the other."""
    return described(broker, JOB.name)[2]["retention.ms"] == str(retention_ms)


async def test_the_whole_table_is_made_once(broker: Any) -> None:
    assert sorted((await apply(broker, partitions_max=3)).created) == sorted(topic.name for topic in all_topics())
    for topic in all_topics():
        until_known(broker.servers, topic.name, min(topic.partitions, 3))
        partitions, replicas, settings = described(broker, topic.name)
        assert (partitions, replicas) == (min(topic.partitions, 3), broker.replication)
        assert settings["retention.ms"] == str(topic.retention_ms)
    assert await apply(broker, partitions_max=3) == Applied()


async def test_a_changed_table_changes_retention_and_grows_partitions(broker: Any) -> None:
    await apply(broker, replace(JOB, partitions=2, retention_ms=DAY_MS))
    applied = await apply(broker, replace(JOB, partitions=5, retention_ms=3 * DAY_MS))
    assert described(broker, JOB.name)[0] == 5
    await until(lambda: keeps(broker, 3 * DAY_MS))
    assert applied.created == applied.impossible == []
    assert [sentence.split(";")[0] for sentence in applied.changed] == [
        "job.requested has 5 partitions instead of 2",
        f"job.requested keeps records for {3 * DAY_MS} ms instead of {DAY_MS} ms",
    ]


async def test_what_an_operator_set_for_a_topic_stays(broker: Any) -> None:
    await create(broker, JOB.name, 1, configs={"max.message.bytes": "123456", "retention.ms": "1000"})
    await apply(broker, replace(JOB, partitions=1))
    await until(lambda: keeps(broker, JOB.retention_ms))
    assert described(broker, JOB.name)[2]["max.message.bytes"] == "123456"


async def test_fewer_partitions_are_impossible_and_it_is_said(broker: Any) -> None:
    await apply(broker, replace(JOB, partitions=4))
    applied = await apply(broker, replace(JOB, partitions=2))
    assert described(broker, JOB.name)[0] == 4
    assert (applied.created, applied.changed) == ([], [])
    (sentence,) = applied.impossible
    assert "job.requested has 4 partitions and should have 2" in sentence


async def test_other_replicas_are_impossible_and_the_command_says_it(broker: Any) -> None:
    await apply(broker, replace(JOB, partitions=1))
    # More replicas than there are brokers: nothing new could be made, so all must be there.
    await apply(broker, partitions_max=1)
    environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers, "KAFKA_PARTITIONS_MAX": "1"}
    wanted = {**os.environ, **environment, "KAFKA_REPLICATION_FACTOR": str(broker.replication + 1), "COLUMNS": "200"}
    command = [sys.executable, "-m", "fenta.embedded.cli", "topics", "apply"]
    done = subprocess.run(command, env=wanted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All topics are there." in done.stdout
    said = f"job.requested has {broker.replication} replicas and should have {broker.replication + 1}"
    assert said in done.stdout


async def test_a_topic_with_more_replicas_than_brokers_is_refused(broker: Any) -> None:
    with pytest.raises(TopicsRefused, match=r"job\.requested"):
        await apply_topics(broker.servers, partitions_max=1, replication=broker.replication + 1, topics=[JOB])
