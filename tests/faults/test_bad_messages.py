"""What no service can read, on every topic of a running stack: set aside by each that reads it, and nothing else."""

import uuid
from collections import Counter

import pytest

from fenta.contracts.topics import TOPICS, Topic
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.bus import Headers, Sent, send
from tests.support.invariants import assert_all_is_well, rows
from tests.support.people import Person
from tests.support.receiver import Receiver

READ = [topic for topic in TOPICS.values() if topic.consumers and not topic.lossy]
REASONS = Counter({"bad_headers": 3, "bad_value": 3, "no_value": 1, "wrong_topic": 1})
FOUND = "SELECT topic, partition, kafka_offset, reason, attempts FROM dead_letter WHERE key = $1"
DROP = "UPDATE dead_letter SET dropped_at = now(), note = 'on purpose' WHERE key = $1"


@pytest.fixture
def key() -> bytes:
    return uuid.uuid4().bytes


def bad_records(topic: Topic, key: bytes) -> list[Sent]:
    """Each kind once, and two that are only unknown."""

    def record(kind: str, value: bytes | None, **headers: bytes | None) -> Sent:
        given = {"ce_id": str(uuid.uuid4()).encode(), "ce_type": kind.encode(), **headers}
        made: Headers = tuple(given.items())
        return Sent(topic.name, value, key=key, headers=made)

    known = f"{topic.name}.v1"
    other = "org.created.v1" if topic.name != "org.created" else "job.failed.v1"
    return [
        Sent(topic.name, b"{}", key=key),
        record(known, b"{}", ce_id=None),
        record(known, b"{}", ce_type=b"\xff\xfe"),
        record(known, b"{"),
        record(known, b'{"org_id": 5}', odd=b"\xff", nothing=None),
        record(known, b"x" * (2 << 20)),
        record(known, None),
        record(other, b"{}"),
        record(f"{topic.name}.v99", b"{}"),
        record("a.type.from.tomorrow", b"{}"),
    ]


async def test_every_topic_may_carry_anything(faulty: Stack, person: Person, receiver: Receiver, key: bytes) -> None:
    job_id = await person.make_video(music=False, captions=False)
    records = [record for topic in READ for record in bad_records(topic, key)]

    await send(faulty.environment("gateway")["KAFKA_BOOTSTRAP_SERVERS"], *records)

    for service in faulty.services:
        read = [topic.name for topic in READ if service in topic.consumers]
        found = await until(lambda service=service, read=read: enough(faulty, service, key, read), seconds=120)
        assert Counter((row["topic"], row["reason"]) for row in found) == Counter(
            {(topic, reason): count for topic in read for reason, count in REASONS.items()}
        )
        assert {row["attempts"] for row in found} == {1}
        await rows(faulty, service, DROP, key)
    await assert_all_is_well(faulty, person, job_id, receiver)


async def enough(stack: Stack, service: str, key: bytes, topics: list[str]) -> list[dict[str, object]] | None:
    found = await rows(stack, service, FOUND, key)
    return [dict(row) for row in found] if len(found) >= REASONS.total() * len(topics) else None
