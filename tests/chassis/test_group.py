"""A consumer in its group: who reads which partition, and what becomes of topics and brokers that come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from fenta.chassis import consumer
from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session
from fenta.chassis.messages import Message, on
from fenta.contracts.events import EVENTS, OrgCreated, UsageRecorded
from fenta.contracts.ids import new_id, uuid7
from tests.chassis.conftest import Fatal, ended, handle, handled, org_created
from tests.conftest import until
from tests.support.bus import Bus, sent
from tests.support.part import note, notes
from tests.support.speech import until_known

Consume = Callable[..., Consumer]


@asynccontextmanager
async def administrator(bus: Bus) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bus.broker.servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def test_two_members_of_one_group_share_the_partitions(bus: Bus, database: Database, consume: Consume) -> None:
    def noting(member: str) -> Any:
        async def handle_as(session: Session, message: Message[OrgCreated]) -> None:
            await note(session, "handled", message.event.slug)
            await note(session, member, str(message.record.partition))

        return on(OrgCreated, handle_as)

    consume(noting("first"))
    consume(noting("second"), instance_id="1")
    numbers: list[str] = []

    async def both_work() -> bool:
        for partition in range(3):
            numbers.append(str(uuid7()))
            await bus.send(sent(org_created(numbers[-1]), partition=partition))
        await handled(database, len(numbers))
        return bool(await notes(database, "first")) and bool(await notes(database, "second"))

    await until(both_work)
    assert sorted(await notes(database, "handled")) == sorted(numbers)


async def test_a_second_process_of_the_same_instance_fences_the_first(
    bus: Bus, database: Database, consume: Consume, fatal: Fatal
) -> None:
    consume(on(OrgCreated, handle))
    await bus.send(sent(org_created("first")))
    await handled(database, 1)

    consume(on(OrgCreated, handle))

    async def fenced() -> bool:
        return bool(fatal)

    await until(fenced)
    assert fatal == ["another process goes by the name billing.0 now"]
    await bus.send(sent(org_created("second")))
    assert await handled(database, 2) == ["first", "second"]
    fatal.clear()


async def read_before(bus: Bus, database: Database, consumer: Consumer) -> None:
    """A process that has handled something and ended; Kafka keeps its place for it."""
    running = asyncio.create_task(consumer.run())
    await bus.send(sent(org_created("before")))
    await handled(database, 1)
    await ended(running)


async def test_a_new_version_reads_its_new_topics_at_once(
    bus: Bus, database: Database, consume: Consume, new_consumer: Consume
) -> None:
    async def handle_other(session: Session, message: Message[Any]) -> None:
        await note(session, "handled", message.event.unit)

    await read_before(bus, database, new_consumer(on(OrgCreated, handle)))
    other = UsageRecorded(
        org_id="org_1", usage_id=new_id("usage"), unit="gpu_seconds", quantity=1, occurred_at=datetime.now(UTC)
    )
    await bus.send(sent(other))
    consume(on(OrgCreated, handle), on(UsageRecorded, handle_other))

    assert await handled(database, 2) == ["before", "gpu_seconds"]


async def test_partitions_that_were_added_are_read_also_by_who_came_back(
    bus: Bus, database: Database, consume: Consume, new_consumer: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "SHARES_SECONDS", 0.2)
    await read_before(bus, database, new_consumer(on(OrgCreated, handle)))
    consume(on(OrgCreated, handle))
    await bus.send(sent(org_created("back")))
    await handled(database, 2)

    async with administrator(bus) as client:
        await client.create_partitions({"org.created": NewPartitions(5)})
    await asyncio.to_thread(until_known, bus.broker.servers, "org.created", 5)
    await bus.send(*(sent(org_created(f"n{number}"), partition=number) for number in range(5)))

    assert sorted((await handled(database, 7))[2:]) == [f"n{number}" for number in range(5)]


async def test_a_topic_that_was_away_is_read_when_it_is_back(
    bus: Bus, database: Database, consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "METADATA_AGE_MILLISECONDS", 200)
    consume(on(OrgCreated, handle))
    await bus.send(sent(org_created("before")))
    await handled(database, 1)

    async with administrator(bus) as client:

        async def noticed() -> bool:
            (answer,) = await client.describe_consumer_groups(["billing"])
            return not any(
                ConsumerProtocolMemberAssignment.decode(share).partitions() for *_, share in answer.groups[0][5]
            )

        await client.delete_topics(["org.created"])
        await until(noticed)
        await client.create_topics([NewTopic("org.created", 3, bus.broker.replication)])
    await asyncio.to_thread(until_known, bus.broker.servers, "org.created", 3)
    await bus.send(sent(org_created("after")))

    assert await handled(database, 2) == ["before", "after"]


async def test_it_goes_on_by_itself_after_the_broker_was_killed(bus: Bus, database: Database, consume: Consume) -> None:
    consume(on(OrgCreated, handle))
    await bus.send(sent(org_created("before")))
    await handled(database, 1)

    bus.broker.kill()
    await asyncio.to_thread(bus.broker.start)
    await bus.send(sent(org_created("after")))

    assert await handled(database, 2) == ["before", "after"]


async def test_it_waits_for_a_broker_that_is_not_there_yet(bus: Bus, database: Database, consume: Consume) -> None:
    await bus.send(sent(org_created("early")))
    bus.broker.stop()
    consumer = consume(on(OrgCreated, handle))
    await asyncio.to_thread(bus.broker.start)

    assert await handled(database, 1) == ["early"]
    assert consumer.connected


async def test_a_service_reads_only_what_the_topic_table_gives_it(consume: Consume) -> None:
    with pytest.raises(ValueError, match="billing must not read"):
        consume(on(EVENTS["render.completed.v1"], handle))
