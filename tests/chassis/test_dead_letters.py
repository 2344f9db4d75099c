"""Dead letters: listed, shown whole, and sent again as they were."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.errors import PermanentError
from fenta.chassis.messages import Message, on
from fenta.chassis.relay import Relay
from fenta.contracts.events import OrgCreated
from fenta.contracts.ids import uuid7
from tests.chassis.conftest import org_created
from tests.conftest import until
from tests.support.bus import Bus, sent
from tests.support.part import note, notes

LETTERS = DeadLetters("billing")


async def all_letters(database: Database) -> list[Any]:
    async with database.transaction() as session:
        return list(await LETTERS.list(session))


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

    broken = False
    async with database.transaction() as session:
        assert await LETTERS.replay(session, str(listed["id"]))

    async def done() -> bool:
        return await notes(database, "handled") == [f"{event_id} ada"]

    await until(done)
    (listed,) = await all_letters(database)
    assert listed["replayed_at"] is not None
    first, second = await bus.read("org.created", 2)
    assert (first.value, first.key, dict(first.headers)) == (second.value, second.key, dict(second.headers))


async def test_a_letter_that_is_not_there_is_not_replayed(database: Database) -> None:
    async with database.transaction() as session:
        assert await LETTERS.get(session, str(uuid7())) is None
        assert not await LETTERS.replay(session, str(uuid7()))
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM outbox")) == 0
