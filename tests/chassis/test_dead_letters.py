"""Dead letters: listed, shown whole, sent again as they were to the one that could not read them, or dropped."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import text

from fenta.chassis import consumer, messages, telemetry
from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session
from fenta.chassis.dead_letters import REASONS, DeadLetters, LetterRefused, Wanted
from fenta.chassis.errors import PermanentError
from fenta.chassis.messages import Message, Poison, on
from fenta.chassis.relay import Relay
from fenta.chassis.testing import record_of
from fenta.contracts.events import OrgCreated
from fenta.contracts.ids import uuid7
from tests.chassis.conftest import org_created
from tests.conftest import until
from tests.support.bus import Bus, sent
from tests.support.command import fenta
from tests.support.part import note, notes

LETTERS = DeadLetters("billing")


async def all_letters(database: Database) -> list[Any]:
    async with database.transaction() as session:
        return list(await LETTERS.list(session))


@pytest.mark.parametrize("key", [b"a\x1fb", b""])
async def test_a_letters_key_is_told_as_it_came(database: Database, key: bytes) -> None:
    record = replace(record_of(org_created("ada")), key=key)

    async with database.transaction() as session:
        await LETTERS.store(session, Poison(record, "bad_value", "on purpose"), attempts=1)

    async with database.transaction() as session:
        assert await session.scalar(text("SELECT key FROM outbox_event")) == key.decode()


async def test_a_letter_is_listed_shown_and_replayed_until_it_is_handled(
    bus: Bus, database: Database, relay: Relay, consume: Callable[..., Consumer]
) -> None:
    broken = True

    async def handle(session: Session, message: Message[OrgCreated]) -> None:
        if broken:
            raise PermanentError("not yet")
        await note(session, "handled", f"{message.id} {message.event.slug}")

    event_id = str(uuid7())
    await bus.send(sent(org_created("ada", "org_7"), event_id))
    consume(on(OrgCreated, handle))

    (listed,) = await until(lambda: all_letters(database))
    assert (listed["topic"], listed["reason"], listed["replayed_at"]) == ("org.created", "handler_failed", None)
    assert "value" not in listed
    async with database.transaction() as session:
        shown = await LETTERS.get(session, str(listed["id"]))
    assert b'"ada"' in shown["value"]
    assert shown["key"] == b"org_7"
    assert shown["headers"]["ce_id"] == event_id
    assert 'raise PermanentError("not yet")' in shown["stack"]

    broken = False
    async with database.transaction() as session:
        await LETTERS.replay(session, str(listed["id"]))

    async def done() -> bool:
        return await notes(database, "handled") == [f"{event_id} ada"]

    await until(done)
    (listed,) = await all_letters(database)
    assert listed["replayed_at"] is not None
    first, second = await bus.read("org.created", 2)
    added = (("replay_for", b"billing"), ("replay_of", str(listed["id"]).encode()))
    assert (first.value, first.key) == (second.value, second.key)
    assert dict(second.headers) == dict((*first.headers, *added))


async def test_a_person_lists_shows_sends_again_and_drops_by_the_command(
    bus: Bus, url: str, database: Database, relay: Relay, consume: Callable[..., Consumer]
) -> None:
    broken = True

    async def handle(session: Session, message: Message[OrgCreated]) -> None:
        if broken:
            raise PermanentError("not yet")
        await note(session, "handled", message.event.slug)

    async def letters(count: int) -> dict[str, str]:
        """Their ids by their reasons, once there are so many."""

        async def enough() -> dict[str, str] | None:
            found = {letter["reason"]: str(letter["id"]) for letter in await all_letters(database)}
            return found if len(found) == count else None

        return dict(await until(enough))

    async def done() -> bool:
        return await notes(database, "handled") == ["ada"]

    async def command(*words: str) -> str:
        status, output = await fenta("dead-letters", *words, DATABASE_URL=url)
        assert status == 0, output
        return output

    await bus.send(sent(org_created("ada"), partition=0), sent(org_created("junk"), value=b"{", partition=0))
    consume(on(OrgCreated, handle))
    ids = await letters(2)

    listed = await command("list")
    assert ids["handler_failed"] in listed
    assert ids["bad_value"] in listed
    shown = json.loads(await command("show", ids["handler_failed"]))
    assert (shown["value"]["slug"], shown["stack"][-1].split(": ")[1]) == ("ada", "not yet")

    broken = False
    await command("replay", "--reason", "handler_failed")
    await until(done)
    read = [dict(record.headers).get("replay_for") for record in await bus.read("org.created", 3)]
    assert read.count(b"billing") == 1
    await command("drop", ids["bad_value"], "--note", "never was an event")
    assert await command("list", "--waiting") == "No dead letter is like that.\n"


async def test_a_letter_that_is_not_there_is_not_replayed(database: Database) -> None:
    async with database.transaction() as session:
        assert await LETTERS.get(session, str(uuid7())) is None
        with pytest.raises(LetterRefused, match="does not exist"):
            await LETTERS.replay(session, str(uuid7()))
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM outbox")) == 0


async def set_aside(database: Database, offset: int, *, reason: str = "bad_value", value: bytes | None = b"{") -> str:
    """A letter of its own record; answers its id."""
    size = len(value or b"")
    record = ConsumerRecord("org.created", 0, offset, 0, 0, b"org_1", value, None, 0, size, ())
    async with database.transaction() as session:
        await LETTERS.store(session, Poison(record, reason, "No."), attempts=1)
        return str((await LETTERS.list(session, 1))[0]["id"])


async def test_a_letter_that_is_sent_again_is_read_by_its_own_service_only(
    bus: Bus, database: Database, relay: Relay, consume: Callable[..., Consumer]
) -> None:
    async def handle(session: Session, message: Message[OrgCreated]) -> None:
        await note(session, "handled", message.event.slug)

    for_another = sent(org_created("another's"), headers=(("replay_for", b"notifier"),))
    for_us = sent(org_created("ours"), headers=(("replay_for", b"billing"),))
    counter = telemetry.replayed_letters.labels("billing", "org.created")._value
    before = counter.get()
    await bus.send(for_another, for_us, sent(org_created("everybody's")))
    consume(on(OrgCreated, handle))

    async def done() -> bool:
        return len(await notes(database, "handled")) >= 2

    await until(done)
    assert await notes(database, "handled") == ["ours", "everybody's"]
    assert counter.get() == before + 1


async def test_a_letter_goes_out_twice_only_if_that_is_meant(database: Database) -> None:
    letter = await set_aside(database, 1)
    async with database.transaction() as session:
        await LETTERS.replay(session, letter)
    async with database.transaction() as session:
        with pytest.raises(LetterRefused, match="sent again at"):
            await LETTERS.replay(session, letter)
        await LETTERS.replay(session, letter, again=True)
    assert await told(database, "org.created") == 2


async def told(database: Database, topic: str) -> int:
    async with database.engine.connect() as connection:
        return int(
            await connection.scalar(text("SELECT count(*) FROM outbox_event WHERE topic = :topic"), {"topic": topic})
            or 0
        )


@pytest.mark.parametrize(("value", "why"), [(None, "no value"), (b"x" * 900_001, "900001 bytes")])
async def test_what_kafka_would_not_take_is_not_sent_again(database: Database, value: bytes | None, why: str) -> None:
    letter = await set_aside(database, 1, value=value)
    async with database.transaction() as session:
        with pytest.raises(LetterRefused, match=why):
            await LETTERS.replay(session, letter)
    assert await told(database, "org.created") == 0


async def test_a_letter_of_a_topic_that_is_gone_would_keep_all_others_from_being_sent(database: Database) -> None:
    letter = await set_aside(database, 1)
    async with database.transaction() as session:
        await session.execute(text("UPDATE dead_letter SET topic = 'org.renamed'"))
        with pytest.raises(LetterRefused, match=r"org\.renamed"):
            await LETTERS.replay(session, letter)
    assert await told(database, "org.renamed") == 0


async def test_a_dropped_letter_stays_with_its_note_and_is_not_sent_again(database: Database) -> None:
    letter = await set_aside(database, 1)
    async with database.transaction() as session:
        await LETTERS.drop(session, letter, "a test of the producer")
    async with database.transaction() as session:
        with pytest.raises(LetterRefused, match="a test of the producer"):
            await LETTERS.replay(session, letter)
        with pytest.raises(LetterRefused, match="a test of the producer"):
            await LETTERS.drop(session, letter, "again")
    await set_aside(database, 1)
    (listed,) = await all_letters(database)
    assert (listed["note"], listed["dropped_at"] is not None) == ("a test of the producer", True)


async def test_letters_are_chosen_by_reason_topic_age_and_whether_they_wait(database: Database) -> None:
    old, dropped = await set_aside(database, 1), await set_aside(database, 2, reason="no_value")
    new = await set_aside(database, 3, reason="no_value")
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE dead_letter SET created_at = now() - interval '2 hours' WHERE id = :id"), {"id": old}
        )
        await LETTERS.drop(session, dropped, "not needed")

    async def chosen(**wanted: Any) -> list[str]:
        async with database.transaction() as session:
            return [str(row["id"]) for row in await LETTERS.list(session, 10, Wanted(**wanted))]

    assert await chosen() == [new, dropped, old]
    assert await chosen(waiting=True) == [new, old]
    assert await chosen(reason="no_value") == [new, dropped]
    assert await chosen(topic="org.created", older_than_seconds=3600) == [old]
    assert await chosen(newer_than_seconds=3600, waiting=True) == [new]
    assert await chosen(topic="job.completed") == []


async def test_how_many_letters_wait_is_a_number_for_each_reason(database: Database) -> None:
    await set_aside(database, 1, reason="no_value")
    dropped = await set_aside(database, 2, reason="no_value")
    async with database.transaction() as session:
        await LETTERS.drop(session, dropped, "not needed")

    await LETTERS.measure(database)

    waiting = {reason: telemetry.waiting_letters.labels("billing", reason)._value.get() for reason in REASONS}
    assert waiting == dict.fromkeys(REASONS, 0) | {"no_value": 1}


def test_every_reason_in_the_code_is_one_that_a_person_can_ask_for() -> None:
    named = re.findall(
        r'Poison\([^()]*?, "(\w+)"', "".join(inspect.getsource(module) for module in (messages, consumer))
    )
    assert set(named) == set(REASONS)
