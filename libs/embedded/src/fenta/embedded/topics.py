"""Brings a cluster, the embedded one or a real one, to what the one topic table says."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError

from fenta.contracts.topics import Topic, all_topics

ALREADY_EXISTS = 36
RETENTION = "retention.ms"
MOST_REPLICAS = 3
# A setting that somebody made for this one topic, as opposed to a default.
OWN_SETTING = 1


class TopicsRefused(Exception):
    """The cluster does not answer, or would not have a topic; the message says which and why."""


@dataclass(frozen=True)
class Wish:
    """How one topic is to be."""

    name: str
    partitions: int
    replication: int
    retention_ms: int

    def new(self) -> NewTopic:
        configs = {RETENTION: str(self.retention_ms)}
        return NewTopic(self.name, self.partitions, self.replication, topic_configs=configs)


@dataclass(frozen=True)
class Found:
    """How it is in the cluster; `settings` are those made for this topic alone."""

    partitions: int
    replication: int
    retention_ms: int
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Applied:
    """Names of the topics that were made; sentences on what was changed, and on what could not be."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)


def wishes(topics: Iterable[Topic], *, partitions_max: int | None, replication: int) -> list[Wish]:
    return [
        Wish(topic.name, min(topic.partitions, partitions_max or topic.partitions), replication, topic.retention_ms)
        for topic in topics
    ]


async def create_topics(bootstrap: str, *, partitions_max: int | None, replication: int) -> list[str]:
    """Answers the names of those that were not there yet; an existing topic is left as it is."""
    async with _administrator(bootstrap) as client:
        return await _create(client, wishes(all_topics(), partitions_max=partitions_max, replication=replication))


async def apply_topics(
    bootstrap: str, *, partitions_max: int | None, replication: int | None, topics: Iterable[Topic] | None = None
) -> Applied:
    """Makes what is missing, and changes what differs from the table where Kafka can change it.

    Without a number of replicas there will be one on each broker, three at most.
    """
    table = all_topics() if topics is None else topics
    async with _administrator(bootstrap) as client:
        replicas = replication or min(MOST_REPLICAS, len((await client.describe_cluster())["brokers"]))
        wanted = wishes(table, partitions_max=partitions_max, replication=replicas)
        created = await _create(client, wanted)
        existing = [wish for wish in wanted if wish.name not in created]
        found = await _find(client, [wish.name for wish in existing])
        pairs = [(wish, found[wish.name]) for wish in existing]
        changed = [*await _grow(client, pairs), *await _set_retention(client, pairs)]
        return Applied(created, changed, [sentence for pair in pairs for sentence in _impossible(*pair)])


def apply_all(bootstrap: str, *, partitions_max: int | None, replication: int | None) -> Applied:
    """For callers without an event loop."""
    return asyncio.run(apply_topics(bootstrap, partitions_max=partitions_max, replication=replication))


@asynccontextmanager
async def _administrator(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    try:
        await client.start()
        yield client
    except KafkaConnectionError as error:
        raise TopicsRefused(f"Kafka at {bootstrap} does not answer: {error}") from error
    except KafkaError as error:
        raise TopicsRefused(f"Kafka at {bootstrap} does not do as asked: {error}") from error
    finally:
        await client.close()


async def _create(client: AIOKafkaAdminClient, wanted: list[Wish]) -> list[str]:
    answer = await client.create_topics([wish.new() for wish in wanted])
    # The client never raises for a refused topic: each one's code must be looked at.
    refused = [
        f"{name}: {sentence or code}" for name, code, sentence in answer.topic_errors if code not in (0, ALREADY_EXISTS)
    ]
    if refused:
        raise TopicsRefused("Kafka refuses topics: " + "; ".join(refused))
    return [name for name, code, _ in answer.topic_errors if code != ALREADY_EXISTS]


async def _find(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, Found]:
    if not names:
        return {}
    shapes = {topic["topic"]: topic["partitions"] for topic in await client.describe_topics(names)}
    settings = await _settings(client, names)
    return {
        name: Found(
            partitions=len(shapes[name]),
            replication=min(len(partition["replicas"]) for partition in shapes[name]),
            retention_ms=int(settings[name][RETENTION]["config_value"]),
            settings={
                key: entry["config_value"]
                for key, entry in settings[name].items()
                if entry["config_source"] == OWN_SETTING
            },
        )
        for name in names
    }


async def _settings(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    """All settings of each topic, by their names."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = [answer.to_object() for answer in await client.describe_configs(resources)]
    return {
        resource["resource_name"]: {entry["config_names"]: entry for entry in resource["config_entries"]}
        for answer in answers
        for resource in answer["resources"]
    }


Pairs = list[tuple[Wish, Found]]


async def _grow(client: AIOKafkaAdminClient, pairs: Pairs) -> list[str]:
    small = [(wish, found) for wish, found in pairs if found.partitions < wish.partitions]
    if small:
        await client.create_partitions({wish.name: NewPartitions(wish.partitions) for wish, _ in small})
    return [
        f"{wish.name} has {wish.partitions} partitions instead of {found.partitions}; "
        "what has the same key as before may lie in another one now"
        for wish, found in small
    ]


async def _set_retention(client: AIOKafkaAdminClient, pairs: Pairs) -> list[str]:
    """This request replaces all settings of a topic, so the others go along as they are."""
    differing = [(wish, found) for wish, found in pairs if found.retention_ms != wish.retention_ms]
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, wish.name, configs={**found.settings, RETENTION: str(wish.retention_ms)}
        )
        for wish, found in differing
    ]
    for answer in await client.alter_configs(resources) if resources else []:
        refused = [f"{name}: {sentence or code}" for code, sentence, _, name in answer.resources if code]
        if refused:
            raise TopicsRefused("Kafka refuses settings: " + "; ".join(refused))
    return [
        f"{wish.name} keeps records for {wish.retention_ms} ms instead of {found.retention_ms} ms"
        for wish, found in differing
    ]


def _impossible(wish: Wish, found: Found) -> list[str]:
    sentences = []
    if found.partitions > wish.partitions:
        sentences.append(
            f"{wish.name} has {found.partitions} partitions and should have {wish.partitions}: "
            "Kafka cannot take partitions away. Make it anew, or leave it."
        )
    if found.replication != wish.replication:
        sentences.append(
            f"{wish.name} has {found.replication} replicas and should have {wish.replication}: "
            "that takes kafka-reassign-partitions, which moves the data."
        )
    return sentences
