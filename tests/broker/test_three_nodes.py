"""Three nodes, three replicas, two of them in sync: a node may die under load, and costs nothing acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from tests.broker.clients import consuming, create, producing, read
from tests.conftest import until
from tests.support.kafka import RealKafka, nodes_asked
from tests.support.speech import all_in_sync, coordinator_of, leader_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(nodes_asked() < 3, reason="This needs a Kafka of three nodes: FENTA_TEST_KAFKA=3."),
]
MEMBERS = 6
# Bounds of a broken test only: a dead node is noticed after two seconds, a frozen one when requests run out of time.
PATIENCE_SECONDS = 180


class Load:
    """One that writes without a pause, and a group of six that reads and commits."""

    def __init__(self, broker: RealKafka) -> None:
        self.acknowledged: list[bytes] = []
        self.seen: set[bytes] = set()
        self.members: list[AIOKafkaConsumer] = []
        self._broker = broker
        self._ended = asyncio.Event()

    async def goes_on(self) -> None:
        """Much more is written, the six share the partitions, and the group has read all of it."""
        enough = len(self.acknowledged) + 500

        async def is_written() -> bool:
            return len(self.acknowledged) >= enough

        async def is_shared() -> bool:
            return sorted(len(member.assignment()) for member in self.members) == [1] * MEMBERS

        await until(is_written, seconds=PATIENCE_SECONDS)
        written = set(self.acknowledged)

        async def is_read() -> bool:
            return written <= self.seen

        await until(is_read, seconds=PATIENCE_SECONDS)
        await until(is_shared, seconds=PATIENCE_SECONDS)

    async def write(self, timeout_ms: int) -> None:
        async with producing(self._broker, linger_ms=1, request_timeout_ms=timeout_ms) as producer:
            while not self._ended.is_set():
                first = len(self.acknowledged)
                values = [b"%d" % number for number in range(first, first + 50)]
                await asyncio.gather(*[await producer.send("load", value, key=value) for value in values])
                self.acknowledged += values

    async def read(self, member: AIOKafkaConsumer) -> None:
        while not self._ended.is_set():
            found = await member.getmany(timeout_ms=200)
            self.seen.update(record.value for records in found.values() for record in records)
            # A commit that fails costs nothing but a second reading.
            with suppress(KafkaError):
                await member.commit()

    def end(self) -> None:
        self._ended.set()


@asynccontextmanager
async def under_load(broker: RealKafka, *, timeout_ms: int = 5000) -> AsyncIterator[Load]:
    """At the end all that was acknowledged is stored, once, and nothing else.

    `timeout_ms`: a node that says nothing for so long is asked no more, and what has no leader for so long is given up.
    """
    await create(broker, "load", MEMBERS)
    load = Load(broker)
    options = {"group_id": "team", "session_timeout_ms": 10_000, "request_timeout_ms": 5000}
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for _ in range(MEMBERS):
            load.members.append(await stack.enter_async_context(consuming(broker, "load", **options)))
        for member in load.members:
            tasks.create_task(load.read(member))
        tasks.create_task(load.write(timeout_ms))
        try:
            await load.goes_on()
            yield load
        finally:
            load.end()
    async with consuming(broker, "load") as consumer:
        stored = [record.value for record in await read(consumer, len(load.acknowledged))]
        places = await consumer.end_offsets(consumer.assignment())
    assert sorted(stored) == sorted(load.acknowledged)
    assert sum(places.values()) == len(load.acknowledged), "nothing is stored twice"


def node_of(broker: RealKafka, role: str) -> int:
    """The number of the node that leads the first partition, or that looks after the group."""
    if role == "leader":
        return broker.number_at(leader_of(broker.servers, "load"))
    return broker.number_at(coordinator_of(broker.servers, "team"))


@pytest.mark.parametrize("role", ["leader", "coordinator"])
async def test_a_killed_node_costs_nothing(broker: RealKafka, role: str) -> None:
    async with under_load(broker) as load:
        number = node_of(broker, role)
        broker.kill(number)
        await load.goes_on()
        await asyncio.to_thread(broker.start, number)
        await load.goes_on()


@pytest.mark.parametrize("role", ["leader", "coordinator"])
async def test_a_frozen_node_costs_nothing(broker: RealKafka, role: str) -> None:
    async with under_load(broker) as load:
        number = node_of(broker, role)
        broker.pause(number)
        await load.goes_on()
        broker.resume(number)
        await load.goes_on()


async def test_a_rolling_restart_costs_nothing(broker: RealKafka) -> None:
    async with under_load(broker) as load:
        for number in (1, 2, 3):
            await asyncio.to_thread(broker.stop, number)
            await load.goes_on()
            await asyncio.to_thread(broker.start, number)
            await asyncio.to_thread(all_in_sync, broker.servers, broker.replication)
            await load.goes_on()


async def test_two_of_three_killed_are_waited_for(broker: RealKafka) -> None:
    async with under_load(broker, timeout_ms=120_000) as load:
        broker.kill(1)
        broker.kill(2)
        for number in (1, 2):
            await asyncio.to_thread(broker.start, number)
        await load.goes_on()
