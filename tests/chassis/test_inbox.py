"""The inbox: an event is new once, and its id is all that gets into a statement."""

import pytest

from fenta.chassis import inbox
from fenta.contracts.ids import uuid7_text
from tests.conftest import DatabaseOf


@pytest.mark.parametrize("count", [1, 3, 30])
async def test_an_event_is_new_once(database_of: DatabaseOf, count: int) -> None:
    database = await database_of("billing")
    seen, new = [uuid7_text() for _ in range(count)], [uuid7_text() for _ in range(2)]

    async with database.transaction() as session:
        assert await inbox.claim(session, seen * 2) == set(seen)
    async with database.transaction() as session:
        assert await inbox.claim(session, [*new, *seen]) == set(new)
    async with database.transaction() as session:
        assert await inbox.claim(session, []) == set()
        assert await inbox.claim(session, seen + new) == set()


async def test_it_is_the_first_statement_of_its_transaction(database_of: DatabaseOf) -> None:
    """What its own transaction has inserted before could not be told from what is new."""
    database = await database_of("billing")

    async with database.transaction() as session:
        await inbox.claim(session, [uuid7_text()])
        with pytest.raises(RuntimeError, match="begun already"):
            await inbox.claim(session, [uuid7_text()])


async def test_what_was_rolled_back_is_new_again(database_of: DatabaseOf) -> None:
    database = await database_of("billing")
    first, second = uuid7_text(), uuid7_text()

    async def fail() -> None:
        async with database.transaction() as session:
            assert await inbox.claim(session, [first]) == {first}
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()

    async with database.transaction() as session:
        assert await inbox.claim(session, [first, second]) == {first, second}


@pytest.mark.parametrize("event_id", ["') ; DROP TABLE inbox; --", "{0}'", "A0000000-0000-7000-8000-000000000000"])
async def test_what_is_no_id_is_refused(database_of: DatabaseOf, event_id: str) -> None:
    database = await database_of("billing")

    async with database.transaction() as session:
        with pytest.raises(ValueError, match="not ids of events"):
            await inbox.claim(session, [uuid7_text(), event_id])
