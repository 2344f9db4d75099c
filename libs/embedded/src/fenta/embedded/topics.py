"""Creates the topics of the one topic table in a cluster, the embedded one or a real one."""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from fenta.contracts.topics import Topic, all_topics

ALREADY_EXISTS = 36


class TopicsRefused(Exception):
    """The cluster does not answer, or would not have a topic; the message says which and why."""


def new_topics(topics: Iterable[Topic], *, partitions_max: int | None, replication: int) -> list[NewTopic]:
    return [
        NewTopic(
            topic.name,
            min(topic.partitions, partitions_max or topic.partitions),
            replication,
            topic_configs={"retention.ms": str(topic.retention_ms)},
        )
        for topic in topics
    ]


async def create_topics(bootstrap: str, *, partitions_max: int | None, replication: int) -> list[str]:
    """Answers the names of those that were not there yet; an existing topic is left as it is."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    try:
        await client.start()
        wanted = new_topics(all_topics(), partitions_max=partitions_max, replication=replication)
        answer = await client.create_topics(wanted)
    except KafkaError as error:
        raise TopicsRefused(f"Kafka at {bootstrap} does not answer: {error}") from error
    finally:
        await client.close()
    # The client never raises for a refused topic: each one's code must be looked at.
    refused = [
        f"{name}: {sentence or code}" for name, code, sentence in answer.topic_errors if code not in (0, ALREADY_EXISTS)
    ]
    if refused:
        raise TopicsRefused("Kafka refuses topics: " + "; ".join(refused))
    return [name for name, code, _ in answer.topic_errors if code != ALREADY_EXISTS]


def create_all(bootstrap: str, *, partitions_max: int | None, replication: int) -> list[str]:
    """For callers without an event loop."""
    return asyncio.run(create_topics(bootstrap, partitions_max=partitions_max, replication=replication))
