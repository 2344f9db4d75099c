"""A broker as aiokafka sees it: topics, records, times, groups, commits."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from tests.broker.clients import DEADLINE, administrator, assigned, consuming, create, producing, read
from tests.conftest import until

# Records of 1970 are older than any retention.
KEPT = {"retention.ms": "-1"}


async def test_a_record_comes_back_as_it_was_sent(broker: Any) -> None:
    await create(broker, "things")
    headers = [("plain", b"yes"), ("empty", b""), ("null", None), ("bytes", b"\xff\xfe")]
    async with producing(broker) as producer, consuming(broker, "things") as consumer:
        await producer.send_and_wait("things", b"value", key=b"key", headers=headers, timestamp_ms=1_700_000_000_123)
        await producer.send_and_wait("things", None, key=b"gone")
        await producer.send_and_wait("things", b"", key=b"empty")
        by_key = {record.key: record for record in await read(consumer, 3)}
    assert by_key[b"key"].value == b"value"
    assert list(by_key[b"key"].headers) == headers
    assert by_key[b"key"].timestamp == 1_700_000_000_123
    assert by_key[b"gone"].value is None
    assert by_key[b"empty"].value == b""


async def test_records_of_one_key_stay_in_order(broker: Any) -> None:
    await create(broker, "ordered")
    async with producing(broker, linger_ms=1) as producer, consuming(broker, "ordered") as consumer:
        sent = [await producer.send("ordered", b"%d" % number, key=b"%d" % (number % 7)) for number in range(700)]
        await asyncio.gather(*sent)
        records = await read(consumer, 700)
    for key in range(7):
        numbers = [int(record.value) for record in records if record.key == b"%d" % key]
        assert numbers == list(range(key, 700, 7))
        assert len({record.partition for record in records if record.key == b"%d" % key}) == 1


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd", "snappy"])
async def test_compressed_batches_pass_through(broker: Any, codec: str) -> None:
    await create(broker, "packed", 1, configs=KEPT)
    async with producing(broker, compression_type=codec, linger_ms=20) as producer:
        await asyncio.gather(*[await producer.send("packed", b"x" * 500, timestamp_ms=1000 + n) for n in range(50)])
    async with consuming(broker, "packed") as consumer:
        assert [record.value for record in await read(consumer, 50)] == [b"x" * 500] * 50
        partition = TopicPartition("packed", 0)
        found = await consumer.offsets_for_times({partition: 1030})
        assert found[partition].offset == 30


async def test_creating_a_topic_twice_is_error_36(broker: Any) -> None:
    assert await create(broker, "once", configs={"retention.ms": "60000"}) == (0, None)
    assert (await create(broker, "once"))[0] == 36


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "no spaces"}, 17),
        ({"name": ".."}, 17),
        ({"name": "t", "partitions": 0}, 37),
        ({"name": "t", "factor": 4}, 38),
        ({"name": "t", "configs": {"retention.ms": "soon"}}, 40),
    ],
)
async def test_a_topic_that_cannot_be_made_is_refused(broker: Any, options: dict[str, Any], code: int) -> None:
    assert (await create(broker, **options))[0] == code


async def test_validate_only_makes_nothing(broker: Any) -> None:
    assert await create(broker, "perhaps", validate_only=True) == (0, None)
    async with administrator(broker) as client:
        assert "perhaps" not in await client.list_topics()


async def test_a_deleted_topic_takes_its_offsets_with_it(broker: Any) -> None:
    await create(broker, "brief", 1)
    async with producing(broker) as producer, consuming(broker, "brief", group_id="readers") as consumer:
        await producer.send_and_wait("brief", b"1")
        await read(consumer, 1)
        await consumer.commit()
    async with administrator(broker) as client:
        await client.delete_topics(["brief"])

        async def forgotten() -> bool:
            return await client.list_consumer_group_offsets("readers") == {}

        await until(forgotten)
    assert await create(broker, "brief", 1) == (0, None)


async def test_an_unknown_topic_is_not_created_by_asking(broker: Any) -> None:
    async with producing(broker, request_timeout_ms=1000) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait("nowhere", b"lost")


async def test_a_record_that_is_too_large_leaves_the_producer_usable(broker: Any) -> None:
    await create(broker, "small", 1, configs={"max.message.bytes": "2000"})
    async with producing(broker) as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait("small", b"x" * 5000)
        assert (await producer.send_and_wait("small", b"x" * 500)).offset == 0


async def test_the_largest_record_of_an_ordinary_topic_passes(broker: Any) -> None:
    await create(broker, "large", 1)
    value = b"x" * ((1 << 20) - 100)
    async with producing(broker, max_request_size=1 << 21) as producer, consuming(broker, "large") as consumer:
        await producer.send_and_wait("large", value)
        assert [record.value for record in await read(consumer, 1)] == [value]
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait("large", value + b"x" * 200)


async def test_offsets_are_found_by_time(broker: Any) -> None:
    await create(broker, "timed", 1, configs=KEPT)
    partition = TopicPartition("timed", 0)
    async with producing(broker) as producer, consuming(broker, "timed") as consumer:
        for second in range(5):
            await producer.send_and_wait("timed", b"x", timestamp_ms=second * 1000)
        found = await consumer.offsets_for_times({partition: 2500})
        assert (found[partition].offset, found[partition].timestamp) == (3, 3000)
        assert (await consumer.offsets_for_times({partition: 99_000}))[partition] is None
        assert await consumer.beginning_offsets([partition]) == {partition: 0}
        assert await consumer.end_offsets([partition]) == {partition: 5}


async def test_a_group_of_one_to_six_shares_partitions_and_takes_over_when_one_leaves(broker: Any) -> None:
    await create(broker, "shared", 6)
    counts = {1: [6], 2: [3, 3], 3: [2, 2, 2], 4: [1, 1, 2, 2], 5: [1, 1, 1, 1, 2], 6: [1, 1, 1, 1, 1, 1]}
    async with AsyncExitStack() as stack:
        members = []
        for shares in counts.values():
            members.append(await stack.enter_async_context(consuming(broker, "shared", group_id="team")))
            await assigned(*members, counts=shares)
        while len(members) > 1:
            await members.pop().stop()
            await assigned(*members, counts=counts[len(members)])


async def test_a_group_reads_everything_once(broker: Any) -> None:
    await create(broker, "work")
    async with producing(broker, linger_ms=5) as producer:
        await asyncio.gather(*[await producer.send("work", b"%d" % n, key=b"%d" % n) for n in range(600)])
    async with (
        consuming(broker, "work", group_id="workers") as first,
        consuming(broker, "work", group_id="workers") as second,
    ):
        await assigned(first, second, counts=[1, 2])
        for consumer in (first, second):
            await consumer.seek_to_beginning()
        seen: list[bytes] = []
        async with asyncio.timeout(DEADLINE):
            while len(seen) < 600:
                for consumer in (first, second):
                    for batch in (await consumer.getmany(timeout_ms=50)).values():
                        seen += [record.value for record in batch]
    assert sorted(map(int, seen)) == list(range(600))


async def test_commits_outlive_the_group_and_the_broker(broker: Any) -> None:
    await create(broker, "kept", 1)
    async with producing(broker) as producer:
        for number in range(10):
            await producer.send_and_wait("kept", b"%d" % number)
    async with consuming(broker, "kept", group_id="a", max_poll_records=4) as consumer:
        assert len(await read(consumer, 4)) == 4
        await consumer.commit()
    broker.kill()
    broker.start()
    async with consuming(broker, "kept", group_id="a") as consumer:
        assert [record.value for record in await read(consumer, 6)] == [b"%d" % n for n in range(4, 10)]
    async with consuming(broker, "kept", group_id="b") as consumer:
        assert len(await read(consumer, 10)) == 10


async def test_a_commit_is_accepted_while_others_join(broker: Any) -> None:
    await create(broker, "busy", 2)
    async with consuming(broker, "busy", group_id="g") as first:
        await assigned(first, counts=[2])
        other = consuming(broker, "busy", group_id="g")  # held, since a collected one stops its consumer
        joining = asyncio.ensure_future(other.__aenter__())
        await first.commit({TopicPartition("busy", 0): 0, TopicPartition("busy", 1): 0})
        second = await joining
        await assigned(first, second, counts=[1, 1])
        await other.__aexit__(None, None, None)


async def test_a_member_that_fell_silent_loses_its_place(broker: Any) -> None:
    await create(broker, "silent", 2)
    async with consuming(broker, "silent", group_id="g", heartbeat_interval_ms=60_000) as silent:
        await assigned(silent, counts=[2])
        async with consuming(broker, "silent", group_id="g") as other:
            await assigned(other, counts=[2])
            with pytest.raises(CommitFailedError):
                await silent.commit({TopicPartition("silent", 0): 0})


async def test_groups_are_listed_and_described(broker: Any) -> None:
    await create(broker, "seen", 2)
    async with consuming(broker, "seen", group_id="watched") as consumer, administrator(broker) as client:
        await assigned(consumer, counts=[2])
        assert ("watched", "consumer") in await client.list_consumer_groups()
        _, name, state, _, protocol, members = (await client.describe_consumer_groups(["watched"]))[0].groups[0]
    assert (name, state, protocol, len(members)) == ("watched", "Stable", "roundrobin", 1)
