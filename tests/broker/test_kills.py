"""A broker killed again and again while it is written to: all it acknowledged is there, once, and nothing else."""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from tests.broker.clients import consuming, create, producing, read
from tests.support.kafka import nodes_asked

PARTITIONS = 3
# A real Kafka takes ten seconds to come back, the embedded broker a half.
KILLS = 5 if nodes_asked() else 20


async def test_kill_9_under_load_loses_nothing_and_invents_nothing(broker: Any) -> None:
    await create(broker, "load", PARTITIONS)
    acknowledged: list[bytes] = []
    enough = asyncio.Event()

    async def send_all() -> None:
        # The client gives up what has had no leader for so long, and nobody could tell whether it was stored.
        async with producing(broker, request_timeout_ms=120_000, linger_ms=1) as producer:
            while not enough.is_set():
                first = len(acknowledged)
                values = [b"%d" % number for number in range(first, first + 50)]
                await asyncio.gather(*[await producer.send("load", value, key=value) for value in values])
                acknowledged.extend(values)

    sending = asyncio.create_task(send_all())
    for _ in range(KILLS):
        before = len(acknowledged)
        while len(acknowledged) < before + 500:
            await asyncio.sleep(0.01)
            assert not sending.done(), sending.exception()
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
    enough.set()
    await sending

    async with consuming(broker, "load") as consumer:
        found = [record.value for record in await read(consumer, len(acknowledged))]
        ends = await consumer.end_offsets([TopicPartition("load", number) for number in range(PARTITIONS)])
    assert sorted(found) == sorted(acknowledged)
    assert sum(ends.values()) == len(acknowledged), "nothing is stored twice"
