"""A broker as librdkafka sees it: another implementation, other versions of each request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from tests.support.speech import until_known


@contextmanager
def consuming(part: Any, topic: str, **options: Any) -> Iterator[Consumer]:
    settings = {
        "bootstrap.servers": part.servers,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 200,
        **options,
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def administrator(part: Any) -> AdminClient:
    return AdminClient({"bootstrap.servers": part.servers})


def create(part: Any, name: str, partitions: int = 3, **config: str) -> None:
    topic = NewTopic(
        name, partitions, part.replication, config={key.replace("_", "."): value for key, value in config.items()}
    )
    client = administrator(part)  # held, since a collected client forgets what it was asked
    client.create_topics([topic])[name].result(10)
    until_known(part.servers, name, partitions)


def send(part: Any, topic: str, values: list[bytes], **options: Any) -> list[Any]:
    reports: list[Any] = []
    producer = Producer({"bootstrap.servers": part.servers, "enable.idempotence": True, "linger.ms": 2, **options})
    for value in values:
        producer.produce(topic, value, key=value, on_delivery=lambda error, record: reports.append(error or record))
    assert producer.flush(20) == 0
    return reports


def read(consumer: Consumer, count: int, eventually: Callable[..., None]) -> list[Any]:
    records: list[Any] = []

    def enough() -> bool:
        records.extend(consumer.consume(count, 0.2))
        return len(records) >= count

    eventually(enough)
    assert all(record.error() is None for record in records)
    return records


@pytest.mark.parametrize("codec", ["none", "gzip", "lz4", "zstd", "snappy"])
def test_produced_values_are_consumed_by_a_group(broker: Any, codec: str, eventually: Callable[..., None]) -> None:
    create(broker, "t")
    values = [b"%d" % number for number in range(500)]
    reports = send(broker, "t", values, **{"compression.type": codec})
    assert all(not isinstance(report, KafkaError) for report in reports)
    with consuming(broker, "t", **{"group.id": "g"}) as consumer:
        assert sorted(record.value() for record in read(consumer, 500, eventually)) == sorted(values)
        committed = consumer.commit(asynchronous=False)
        assert sum(position.offset for position in committed) == 500
    with consuming(broker, "t", **{"group.id": "g"}) as consumer:
        assert consumer.poll(1.0) is None


def test_cooperative_members_share_partitions(broker: Any, eventually: Callable[..., None]) -> None:
    create(broker, "t", 4)
    options = {"group.id": "g", "partition.assignment.strategy": "cooperative-sticky"}
    with consuming(broker, "t", **options) as first, consuming(broker, "t", **options) as second:

        def shared() -> bool:
            first.poll(0.1)
            second.poll(0.1)
            return [len(first.assignment()), len(second.assignment())] == [2, 2]

        eventually(shared)


def test_a_second_process_with_the_same_instance_id_fences_the_first(
    broker: Any, eventually: Callable[..., None]
) -> None:
    create(broker, "t", 2)
    options = {"group.id": "g", "group.instance.id": "g.0"}
    with consuming(broker, "t", **options) as first:
        eventually(lambda: _polled(first) == [2])
        with consuming(broker, "t", **options) as second:
            eventually(lambda: _polled(second) == [2])
            # librdkafka hands a fatal error out as a record.
            eventually(lambda: _error_of(first.poll(0.1)) == KafkaError._FATAL)


def _error_of(record: Any) -> int | None:
    return None if record is None or record.error() is None else int(record.error().code())


def test_a_static_member_that_comes_back_keeps_its_partitions(broker: Any, eventually: Callable[..., None]) -> None:
    """librdkafka leaves nothing behind when a static member closes, just as a killed process would."""
    create(broker, "t", 4)
    with consuming(broker, "t", **{"group.id": "g", "group.instance.id": "g.1"}) as other:
        for _ in range(2):
            with consuming(broker, "t", **{"group.id": "g", "group.instance.id": "g.0"}) as member:
                eventually(lambda: [*_polled(member), *_polled(other)] == [2, 2])


def _polled(consumer: Consumer) -> list[int]:
    consumer.poll(0.1)
    return [len(consumer.assignment())]


def test_offsets_by_time_and_watermarks(broker: Any) -> None:
    create(broker, "t", 1, retention_ms="-1")  # records of 1970 are older than any retention
    producer = Producer({"bootstrap.servers": broker.servers})
    for second in range(5):
        producer.produce("t", b"x", timestamp=1000 * (second + 1))
    assert producer.flush(10) == 0
    with consuming(broker, "t", **{"group.id": "g"}) as consumer:
        (found,) = consumer.offsets_for_times([TopicPartition("t", 0, 2500)], timeout=10)
        assert found.offset == 2
        assert consumer.get_watermark_offsets(TopicPartition("t", 0), timeout=10) == (0, 5)


def test_the_administrator_sees_and_changes_settings(broker: Any, eventually: Callable[..., None]) -> None:
    create(broker, "t", 2, retention_ms="60000")
    client = administrator(broker)
    resource = ConfigResource(ResourceType.TOPIC, "t")
    configs = client.describe_configs([resource])[resource].result(10)
    assert configs["retention.ms"].value == "60000"
    assert configs["cleanup.policy"].value == "delete"
    change = ConfigResource(
        ResourceType.TOPIC,
        "t",
        incremental_configs=[ConfigEntry("retention.ms", "90000", incremental_operation=AlterConfigOpType.SET)],
    )
    client.incremental_alter_configs([change])[change].result(10)
    eventually(lambda: client.describe_configs([resource])[resource].result(10)["retention.ms"].value == "90000")
    client.create_partitions([NewPartitions("t", 5)])["t"].result(10)
    until_known(broker.servers, "t", 5)
    assert len(client.list_topics("t", 10).topics["t"].partitions) == 5
    with pytest.raises(KafkaException):
        client.create_partitions([NewPartitions("t", 3)])["t"].result(10)


def test_a_group_can_be_described_and_deleted(broker: Any, eventually: Callable[..., None]) -> None:
    create(broker, "t", 1)
    client = administrator(broker)
    with consuming(broker, "t", **{"group.id": "g", "client.id": "me"}) as consumer:
        eventually(lambda: _polled(consumer) == [1])
        description = client.describe_consumer_groups(["g"])["g"].result(10)
        assert [member.client_id for member in description.members] == ["me"]
        consumer.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
        with pytest.raises(KafkaException):
            client.delete_consumer_groups(["g"])["g"].result(10)
    client.delete_consumer_groups(["g"])["g"].result(10)
    assert "g" not in {group.group_id for group in client.list_consumer_groups().result(10).valid}
