"""The consumer: a batch is one transaction, every event counts once, and what is broken costs nothing else."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis import consumer
from fenta.chassis.consumer import RETRY_PAUSES, Consumer
from fenta.chassis.database import Database, Session
from fenta.chassis.errors import PermanentError
from fenta.chassis.messages import Message, on, on_batch
from fenta.chassis.relay import Relay
from fenta.contracts.events import EVENTS, BudgetExceeded, JobProgressed, OrgCreated
from fenta.contracts.ids import new_id, uuid7
from tests.chassis.conftest import Fatal, handle, handled, org_created
from tests.conftest import until
from tests.support.bus import Bus, Sent, sent
from tests.support.part import note, notes

Consume = Callable[..., Consumer]


async def letters(database: Database) -> list[Any]:
    async with database.engine.connect() as connection:
        return list((await connection.execute(text("SELECT * FROM dead_letter ORDER BY kafka_offset"))).all())


async def test_inbox_effects_and_outbox_of_a_batch_are_one_transaction(
    bus: Bus, database: Database, consume: Consume
) -> None:
    async def tell(session: Session, message: Message[OrgCreated]) -> None:
        await handle(session, message)
        session.publish(
            BudgetExceeded(org_id="org_1", scope="org", unit="kai_credits", over=1, limit_micros=1, spent_micros=2)
        )

    await bus.send(*(sent(org_created(f"n{number}")) for number in range(20)))
    consume(on(OrgCreated, tell))
    await handled(database, 20)

    async with database.engine.connect() as connection:
        writers = await connection.execute(
            text("SELECT xmin::text FROM note UNION SELECT xmin::text FROM inbox UNION SELECT xmin::text FROM outbox")
        )
    assert len(writers.all()) == 1


async def test_a_redelivered_event_changes_nothing(bus: Bus, database: Database, consume: Consume) -> None:
    once = sent(org_created("once"))
    consume(on(OrgCreated, handle))

    await bus.send(once)
    await handled(database, 1)
    await bus.send(once, sent(org_created("after")))

    assert await handled(database, 2) == ["once", "after"]


@pytest.mark.parametrize("order", ["aabbcc", "abcabc", "abaccb"])
def test_each_partition_is_acknowledged_up_to_its_last_record(order: str) -> None:
    places = {"a": ("one", 0), "b": ("one", 1), "c": ("two", 1)}
    offsets = Counter[str]()
    records: list[Any] = []
    for letter in order:
        topic, partition = places[letter]
        records.append(SimpleNamespace(topic=topic, partition=partition, offset=offsets[letter]))
        offsets[letter] += 1

    assert consumer._offsets_after(records) == {places[letter]: count for letter, count in offsets.items()}


async def test_an_event_is_acknowledged_only_after_its_effects(bus: Bus, database: Database, consume: Consume) -> None:
    meanwhile: list[int] = []

    async def look(session: Session, message: Message[OrgCreated]) -> None:
        meanwhile.append(await bus.acknowledged("billing"))
        await handle(session, message)

    await bus.send(sent(org_created("first")))
    consume(on(OrgCreated, look))

    async def done() -> bool:
        return await bus.acknowledged("billing") == 1

    await until(done)
    assert meanwhile == [0]
    assert await handled(database, 1) == ["first"]


async def test_duplicates_inside_one_batch_count_once(bus: Bus, database: Database, consume: Consume) -> None:
    once = sent(org_created("once"))
    await bus.send(once, once, once, sent(org_created("last")))

    consume(on(OrgCreated, handle))

    assert await handled(database, 2) == ["once", "last"]


async def test_a_batch_use_case_gets_all_its_messages_in_order(bus: Bus, database: Database, consume: Consume) -> None:
    async def fold(session: Session, messages: list[Message[OrgCreated]]) -> None:
        await note(session, "handled", " ".join(message.event.slug for message in messages))

    await bus.send(*(sent(org_created(slug)) for slug in "abc"))

    consume(on_batch([OrgCreated], fold))

    assert await handled(database, 1) == ["a b c"]


async def test_every_good_event_is_handled_and_each_bad_record_is_set_aside(
    bus: Bus, database: Database, consume: Consume, relay: Relay
) -> None:
    good = org_created("between")
    bad = {
        "bad_json": sent(good, value=b"{"),
        "wrong_type": sent(good, value=b'{"org_id": "o", "slug": 5, "owner_user_id": "u"}'),
        "null_value": sent(good, value=None),
        "null_id": sent(good, headers=(("ce_id", None),)),
        "binary_id": sent(good, headers=(("ce_id", b"\xff\xfe"),)),
        "no_headers": Sent("org.created", b"{}"),
        "wrong_topic": sent(good, topic="usage.recorded"),
        "nul_everywhere": sent(good, value=b"\0", key=b"k\0\xff", headers=(("x", b"a\0b"), ("ce_time", b"\0"))),
        "large": sent(good, value=b"x" * 900_000),
    }
    odd = [
        sent(org_created("null_header"), headers=(("x-null", None),)),
        sent(org_created("binary_header"), headers=(("x-binary", b"\xff\xfe"),)),
        sent(org_created("bad_trace"), headers=(("traceparent", b"not a trace"),)),
    ]
    unknown = sent(good, headers=(("ce_type", b"org.created.v99"),))
    other = sent(good, headers=(("ce_type", b"a.type.from.tomorrow"),))
    await bus.send(sent(org_created("first")), *bad.values(), unknown, *odd, other, sent(org_created("last")))

    consume(on(OrgCreated, handle), on(EVENTS["usage.recorded.v1"], handle))

    assert sorted(await handled(database, 5)) == ["bad_trace", "binary_header", "first", "last", "null_header"]
    told = await bus.read("billing.dlq", len(bad))
    stored = await letters(database)
    assert Counter(letter.reason for letter in stored) == {
        "bad_value": 4, "no_value": 1, "bad_headers": 3, "wrong_topic": 1,
    }  # fmt: skip
    origins = {(letter.topic, str(letter.partition), str(letter.kafka_offset)) for letter in stored}
    headers = [{name: value.decode() for name, value in record.headers} for record in told]
    assert {(found["topic"], found["partition"], found["offset"]) for found in headers} == origins
    assert {found["reason"] for found in headers} == {letter.reason for letter in stored}
    assert {found["attempts"] for found in headers} == {"1"}
    assert [found["omitted_bytes"] for found in headers if "omitted_bytes" in found] == ["900000"]
    assert {"base64": "//4="} in [letter.headers.get("ce_id") for letter in stored]


async def test_all_that_can_be_wrong_at_once_costs_no_good_event_and_no_time(
    bus: Bus, database: Database, consume: Consume, relay: Relay
) -> None:
    chance, tries = random.Random(3), Counter[str]()
    hours_ago = int(time.time() * 1000) - 5 * 3600 * 1000

    async def count(session: Session, message: Message[OrgCreated]) -> None:
        tries[message.event.slug] += 1
        if message.event.slug.startswith("doomed"):
            raise PermanentError("not this one")
        await handle(session, message)

    def anywhere(event: OrgCreated, **wrong: Any) -> Sent:
        late = chance.choice([None, hours_ago])
        return sent(event, str(uuid7()), partition=chance.randrange(3), timestamp_ms=late, **wrong)

    good = [anywhere(org_created(f"good{number}")) for number in range(150)]
    again = [replace(one, partition=chance.randrange(3)) for one in good]
    doomed = [anywhere(org_created(f"doomed{number}")) for number in range(9)]
    bad = [
        anywhere(org_created("bad"), **wrong)
        for wrong in ({"value": b"{"}, {"value": b"[]"}, {"value": None}, {"value": b"x" * (2 << 20)},
            {"headers": (("ce_id", None),)}, {"headers": (("ce_type", b"\xff"),)},
            {"headers": (("ce_type", b"usage.recorded.v1"),)})
        for _ in range(3)
    ]  # fmt: skip
    unknown = [anywhere(org_created("unknown"), headers=(("ce_type", b"org.created.v2"),)) for _ in range(5)]
    records = [*good, *again, *doomed, *bad, *unknown]
    chance.shuffle(records)
    await bus.send(*records)

    consume(on(OrgCreated, count))

    async def all_are_done() -> bool:
        return await bus.acknowledged("billing") == len(records)

    await until(all_are_done)
    assert Counter(await notes(database, "handled")) == Counter(f"good{number}" for number in range(150))
    stored = await letters(database)
    assert Counter(letter.reason for letter in stored) == {
        "handler_failed": 9, "bad_value": 9, "no_value": 3, "bad_headers": 6, "wrong_topic": 3,
    }  # fmt: skip
    assert max(len(letter.value or b"") for letter in stored) == 2 << 20
    before = tries.copy()
    await bus.send(sent(org_created("after")))
    await handled(database, 151)
    assert tries == before + Counter(["after"]), "what is done is not looked at again"


async def test_a_failing_handler_costs_only_the_message_it_fails_on(
    bus: Bus, database: Database, consume: Consume
) -> None:
    tries = Counter[str]()

    async def fail_on_five(session: Session, message: Message[OrgCreated]) -> None:
        tries[message.event.slug] += 1
        if message.event.slug == "n5":
            raise RuntimeError("five is\0 right out")
        await handle(session, message)

    await bus.send(*(sent(org_created(f"n{number}")) for number in range(8)))
    consume(on(OrgCreated, fail_on_five))

    assert sorted(await handled(database, 7)) == [f"n{number}" for number in range(8) if number != 5]
    (letter,) = await until(lambda: letters(database))
    assert letter.reason == "handler_failed"
    assert "five is" in letter.error
    assert letter.attempts == tries["n5"] >= 3


async def test_a_permanent_error_is_not_tried_again(bus: Bus, database: Database, consume: Consume) -> None:
    tries = Counter[str]()

    async def refuse(session: Session, message: Message[OrgCreated]) -> None:
        tries[message.event.slug] += 1
        raise PermanentError("never")

    await bus.send(sent(org_created("n1")))
    consume(on(OrgCreated, refuse))

    (letter,) = await until(lambda: letters(database))
    assert letter.attempts == tries["n1"] == 1


async def test_trouble_that_passes_costs_no_message_a_dead_letter(
    bus: Bus, database: Database, consume: Consume
) -> None:
    troubles = [ConnectionRefusedError("no server") for _ in range(len(RETRY_PAUSES) + 1)]

    async def wait(session: Session, message: Message[OrgCreated]) -> None:
        if troubles:
            raise troubles.pop()
        await handle(session, message)

    await bus.send(sent(org_created("patient")))
    consume(on(OrgCreated, wait))

    assert await handled(database, 1) == ["patient"]
    assert await letters(database) == []


async def test_a_lock_that_a_frozen_process_keeps_costs_no_message_a_dead_letter(
    bus: Bus, database: Database, consume: Consume
) -> None:
    tries = Counter[str]()

    async def wait_for_the_table(session: Session, message: Message[OrgCreated]) -> None:
        tries[message.event.slug] += 1
        await session.execute(text("SET LOCAL statement_timeout = 50"))
        await handle(session, message)

    async def tried_often() -> bool:
        return tries["patient"] > len(RETRY_PAUSES) + 1

    await bus.send(sent(org_created("patient")))
    async with database.engine.begin() as frozen:
        await frozen.execute(text("LOCK TABLE note IN EXCLUSIVE MODE"))
        consume(on(OrgCreated, wait_for_the_table))
        await until(tried_often)

    assert await handled(database, 1) == ["patient"]
    assert await letters(database) == []


async def test_a_message_that_always_takes_too_long_is_set_aside_in_the_end(
    bus: Bus, database: Database, consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_end(session: Session, message: Message[OrgCreated]) -> None:
        await session.execute(text("SET LOCAL statement_timeout = 10"))
        await session.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(consumer, "STUCK_PAUSE_SECONDS", 0.01)
    await bus.send(sent(org_created("endless")))
    consume(on(OrgCreated, never_end))

    (letter,) = await until(lambda: letters(database))
    assert letter.attempts >= consumer.MOST_STUCK_TRIES


async def test_twenty_dead_letters_in_a_row_stop_the_consumer(
    bus: Bus, database: Database, consume: Consume, fatal: Fatal
) -> None:
    async def refuse(session: Session, message: Message[OrgCreated]) -> None:
        raise PermanentError("everything is wrong")

    await bus.send(*(sent(org_created(f"n{number}")) for number in range(30)))
    consume(on(OrgCreated, refuse))

    async def stopped() -> bool:
        return bool(fatal)

    await until(stopped)
    assert fatal == ["20 messages in a row could not be handled"]
    assert len(await letters(database)) == 20
    fatal.clear()


async def test_live_numbers_pass_without_inbox_and_a_failure_costs_only_them(
    bus: Bus, database: Database, consume: Consume
) -> None:
    async def show(session: Session, message: Message[JobProgressed]) -> None:
        if message.event.progress == 13:
            raise RuntimeError("on purpose")
        await note(session, "handled", str(message.event.progress))

    def progressed(progress: int) -> Sent:
        job_id = new_id("job")
        return sent(JobProgressed.model_validate({
            "org_id": "org_1", "job_id": job_id, "status": "running", "phase": "RUNNING",
            "progress": progress, "spent": {},
        }))  # fmt: skip

    await bus.send(progressed(1))
    consume(on(JobProgressed, show), service="gateway", lossy=True)

    async def shown() -> bool:
        await bus.send(progressed(13))
        await bus.send(progressed(50))
        return "50" in await notes(database, "handled")

    await until(shown)
    assert "1" not in await notes(database, "handled")
    assert await letters(database) == []
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM inbox")) == 0
