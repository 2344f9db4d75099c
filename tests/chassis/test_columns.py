"""Columns of rows as one text each: what goes in comes out, or is refused."""

import pytest
from sqlalchemy import text

from fenta.chassis.columns import SEPARATOR, joined, spelt_out
from fenta.chassis.database import Database
from fenta.chassis.errors import PermanentError

ROWS = text(spelt_out("SELECT * FROM unnest(COLUMN(:words, text), COLUMN(:numbers, bigint)) AS u"))


async def rows(database: Database, words: list[str], numbers: list[int]) -> list[tuple[str | None, int]]:
    async with database.transaction() as session:
        values = {"words": joined(words), "numbers": joined(map(str, numbers))}
        return [(row[0], row[1]) for row in await session.execute(ROWS, values)]


async def test_rows_come_out_as_they_went_in(database: Database) -> None:
    words = ["plain", 'a "quoted" {word}, \\n', "Zeile\nzwei", "日本語 🙂", "it's"]

    assert await rows(database, words, [1, 2, 3, 4, -5]) == list(zip(words, [1, 2, 3, 4, -5], strict=True))


async def test_an_empty_text_is_null(database: Database) -> None:
    assert await rows(database, ["", "b"], [1, 2]) == [(None, 1), ("b", 2)]
    assert await rows(database, [""], [1]) == [(None, 1)]


async def test_no_rows_are_no_rows(database: Database) -> None:
    assert await rows(database, [], []) == []


def test_a_value_with_the_separator_in_it_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"U\+001F"):
        joined(["a", f"b{SEPARATOR}c"])
