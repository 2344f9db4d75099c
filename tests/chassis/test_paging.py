"""Pages: every row once, and cursors that belong to their list."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from fenta.chassis import paging
from fenta.chassis.errors import Problem
from fenta.chassis.moments import Moment, written
from fenta.contracts.digest import digest_of

FILTERS = {"org_id": "org_1", "status": None}


def forged(place: Any, *, age_seconds: float = 0, filters: dict[str, Any] = FILTERS) -> str:
    content = json.dumps([place, digest_of(filters)[:16], int(time.time() - age_seconds)])
    return encoded(content.encode())


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def test_every_row_stands_on_one_page() -> None:
    rows = list(range(10, 0, -1))
    seen: list[int] = []
    cursor: str | None = None
    while True:
        before = paging.behind(cursor, FILTERS, paging.number)
        found = [row for row in rows if before is None or row < before]
        page, cursor = paging.cut(found[:4], 3, FILTERS, lambda row: row)
        seen += page
        if cursor is None:
            break
    assert seen == rows


def test_a_full_last_page_has_no_next() -> None:
    assert paging.cut([1, 2, 3], 3, FILTERS, str) == ([1, 2, 3], None)
    assert paging.cut([], 3, FILTERS, str) == ([], None)


def test_a_place_of_time_and_id_comes_back_as_it_was() -> None:
    place = datetime(2026, 11, 21, 8, 0, 0, 123456, UTC), "asset_1"
    _, cursor = paging.cut([place, place], 1, FILTERS, lambda row: paging.written_time_and_id(*row))
    assert paging.behind(cursor, FILTERS, paging.time_and_id) == place


@pytest.mark.parametrize("cursor", ["", "nonsense", "é", encoded(b"null"), encoded(b"[1,2]")])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem, match="cursor_invalid"):
        paging.behind(cursor, FILTERS, paging.number)


@pytest.mark.parametrize("place", [5, ["5"], None, "five", "9" * 19, "5\0", " " * 100 + "5" * 200])
def test_a_cursor_with_a_place_that_is_none_is_refused(place: Any) -> None:
    with pytest.raises(Problem, match="cursor_invalid"):
        paging.behind(forged(place), FILTERS, paging.number)


def test_a_cursor_of_another_list_or_another_day_is_refused() -> None:
    assert paging.behind(forged("5"), FILTERS, paging.number) == 5
    others = forged("5", filters={"org_id": "org_2", "status": None})
    for cursor in (others, forged("5", age_seconds=paging.LIFETIME_SECONDS + 1), forged("5", age_seconds=-60)):
        with pytest.raises(Problem, match="cursor_invalid"):
            paging.behind(cursor, FILTERS, paging.number)


@pytest.mark.parametrize("place", ["2026-11-21T08:00:00|asset_1", "yesterday|asset_1", "|", "asset_1"])
def test_a_place_without_a_time_is_refused(place: str) -> None:
    with pytest.raises(Problem, match="cursor_invalid"):
        paging.behind(forged(place), FILTERS, paging.time_and_id)


class Thing(BaseModel):
    made_at: Moment | None


def test_times_are_told_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 21, 9, 0, 0, 123456, timezone(timedelta(hours=1)))
    assert written(moment) == "2026-11-21T08:00:00.123Z"
    assert Thing(made_at=moment).model_dump_json() == '{"made_at":"2026-11-21T08:00:00.123Z"}'
    described = Thing.model_json_schema(mode="serialization")["properties"]["made_at"]["anyOf"]
    assert described == [{"type": "string", "format": "date-time"}, {"type": "null"}]
