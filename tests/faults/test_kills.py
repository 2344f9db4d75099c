"""Anything may die at any time, and a job still ends once, paid once, told once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from fenta.contracts.topics import TOPICS, consumed_by
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.invariants import assert_all_is_well, rows
from tests.support.people import Person
from tests.support.processes import frozen
from tests.support.receiver import Receiver


async def holds_a_task(stack: Stack, service: str) -> bool:
    return bool((await rows(stack, service, "SELECT count(*) AS n FROM task WHERE state = 1"))[0]["n"])


async def leases_have_moved(stack: Stack, service: str, before: dict[str, int]) -> bool:
    """Every task that was held then is gone, or in other hands."""
    now = {
        row["id"]: row["attempt"] for row in await rows(stack, service, "SELECT id, attempt FROM task WHERE state = 1")
    }
    return all(now.get(task, attempt + 1) > attempt for task, attempt in before.items())


@pytest.mark.parametrize("service", ["generation", "render", "notifier"])
async def test_a_service_killed_while_it_holds_a_task(
    faulty: Stack, person: Person, receiver: Receiver, service: str
) -> None:
    job_id = await person.make_video()
    await until(lambda: holds_a_task(faulty, service), seconds=120)
    faulty.kill(service, stay_down=True)
    before = {
        row["id"]: row["attempt"] for row in await rows(faulty, service, "SELECT id, attempt FROM task WHERE state = 1")
    }
    assert before or service == "notifier"

    await asyncio.to_thread(faulty.restart, service)

    await until(lambda: leases_have_moved(faulty, service, before))
    await assert_all_is_well(faulty, person, job_id, receiver)


async def lag(stack: Stack, service: str) -> int:
    """Records in Kafka that the service has not committed."""
    servers = stack.environment(service)["KAFKA_BOOTSTRAP_SERVERS"]
    admin, reader = AIOKafkaAdminClient(bootstrap_servers=servers), AIOKafkaConsumer(bootstrap_servers=servers)
    await admin.start()
    await reader.start()
    try:
        committed = await admin.list_consumer_group_offsets(service)
        partitions = [
            TopicPartition(topic.name, number)
            for topic in consumed_by(service)
            for number in reader.partitions_for_topic(topic.name) or await _partitions(reader, topic.name)
        ]
        ends = await reader.end_offsets(partitions)
        return sum(end - max(0, committed[part].offset if part in committed else 0) for part, end in ends.items())
    finally:
        await reader.stop()
        await admin.close()


async def _partitions(reader: AIOKafkaConsumer, topic: str) -> set[int]:
    await reader._client.add_topic(topic)
    return set(reader.partitions_for_topic(topic) or ())


@pytest.mark.parametrize("service", ["workflow", "billing", "notifier", "gateway", "generation", "render"])
async def test_a_service_killed_with_unread_records(
    faulty: Stack, person: Person, receiver: Receiver, service: str
) -> None:
    job_id = ""
    if service in ("workflow", "gateway"):
        # These must take the request first; they freeze once work is under way.
        job_id = await person.make_video()
        await until(lambda: holds_a_task(faulty, "generation"), seconds=120)
    with frozen(faulty, service):
        job_id = job_id or await person.make_video()
        await until(lambda: _positive(lag(faulty, service)), seconds=120)
        faulty.kill(service, stay_down=True)
    unread = await lag(faulty, service)

    await asyncio.to_thread(faulty.restart, service)

    assert unread > 0
    await assert_all_is_well(faulty, person, job_id, receiver)
    await until(lambda: _zero(lag(faulty, service)), seconds=120)


async def _positive(count: "asyncio.Future[int] | object") -> bool:
    return await count > 0  # type: ignore[misc]


async def _zero(count: "asyncio.Future[int] | object") -> bool:
    return await count == 0  # type: ignore[misc]


async def test_postgres_killed_at_once(faulty: Stack, person: Person, receiver: Receiver) -> None:
    job_id = await person.make_video()
    await person.until_step(job_id, "script", "completed")

    faulty.kill("postgres")

    await assert_all_is_well(faulty, person, job_id, receiver)


async def test_the_broker_killed(faulty: Stack, person: Person, receiver: Receiver) -> None:
    job_id = await person.make_video()
    await person.until_step(job_id, "script", "completed")

    faulty.kill("broker")

    await assert_all_is_well(faulty, person, job_id, receiver)


async def test_everything_killed_while_rendering(faulty: Stack, person: Person, receiver: Receiver) -> None:
    job_id = await person.make_video(duration_seconds=12)
    await person.until_step(job_id, "render", "running")
    done = {key: step["completed_at"] for key, step in (await person.steps(job_id)).items() if step["completed_at"]}

    for name in (*faulty.services, "broker", "objectstore", "postgres"):
        faulty.kill(name)

    await assert_all_is_well(faulty, person, job_id, receiver)
    after = {key: step["completed_at"] for key, step in (await person.steps(job_id)).items()}
    assert {key: after[key] for key in done} == done


async def test_every_record_comes_twice_and_again_later(faulty: Stack, person: Person, receiver: Receiver) -> None:
    async with repeating(faulty) as repeated:
        job_id = await person.make_video()
        await person.until_job(job_id)
        await until(lambda: _enough(repeated), seconds=120)

    await assert_all_is_well(faulty, person, job_id, receiver)


async def _enough(repeated: list[str]) -> bool:
    return len(repeated) > 60


@contextlib.asynccontextmanager
async def repeating(stack: Stack) -> AsyncIterator[list[str]]:
    """Re-produces every record with its own `ce_id` at once, and once more five seconds later."""
    servers = stack.environment("gateway")["KAFKA_BOOTSTRAP_SERVERS"]
    lasting = [topic.name for topic in TOPICS.values() if not topic.lossy]
    reader = AIOKafkaConsumer(*lasting, bootstrap_servers=servers, auto_offset_reset="latest", group_id=None)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await reader.start()
    await producer.start()
    repeated: list[str] = []
    later: set[asyncio.Task[None]] = set()

    async def send(record: object, pause: float) -> None:
        await asyncio.sleep(pause)
        headers = [*record.headers, ("repeated", b"1")]  # type: ignore[attr-defined]
        await producer.send_and_wait(record.topic, record.value, key=record.key, headers=headers)  # type: ignore[attr-defined]
        repeated.append(dict(record.headers)["ce_id"].decode())  # type: ignore[attr-defined]

    async def repeat() -> None:
        async for record in reader:
            if "repeated" not in dict(record.headers):
                later.update(asyncio.create_task(send(record, pause)) for pause in (0, 5))

    loop = asyncio.create_task(repeat())
    try:
        yield repeated
    finally:
        loop.cancel()
        await asyncio.gather(loop, *later, return_exceptions=True)
        await reader.stop()
        await producer.stop()
