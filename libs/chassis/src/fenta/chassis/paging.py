"""Pages of a list. A cursor is opaque to callers, bound to the filters it was made with, and valid for a day."""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from fenta.chassis.errors import Problem
from fenta.contracts.digest import digest_of

LIFETIME_SECONDS = 24 * 60 * 60
LONGEST_PLACE = 200
Place = TypeVar("Place")
Row = TypeVar("Row")


class PageQuery(BaseModel):
    """The query parameters of every list; a list adds its filters."""

    limit: int = Field(25, ge=1, le=100)
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")


def behind(cursor: str | None, filters: Mapping[str, Any], read: Callable[[str], Place]) -> Place | None:
    """The place behind which to go on, as `read` understands it; None at the start.

    Raises `cursor_invalid` for a cursor that is broken, too old, or of another list.
    """
    if cursor is None:
        return None
    try:
        text, digest, made_at = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = digest == _digest(filters) and 0 <= time.time() - made_at <= LIFETIME_SECONDS
        if fits and len(text) <= LONGEST_PLACE and text.isprintable():
            return read(text)
    except (ValueError, TypeError, AttributeError):
        pass
    raise Problem(
        "cursor_invalid", "The cursor is broken, too old, or of another list.", hint="Start without a cursor."
    )


def cut(
    found: Sequence[Row], limit: int, filters: Mapping[str, Any], place: Callable[[Row], object]
) -> tuple[Sequence[Row], str | None]:
    """The page, and the cursor of the next; `found` holds one row more than the limit where the list goes on.

    `place` is what the list is ordered by; as text it is what `read` will get.
    """
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    content = json.dumps([str(place(page[-1])), _digest(filters), int(time.time())], separators=(",", ":"))
    return page, base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def number(text: str) -> int:
    """Where a list is ordered by a number of Postgres."""
    if len(text) > 18:
        raise ValueError("no row has a number so large")
    return int(text)


def time_and_id(text: str) -> tuple[datetime, str]:
    """Where a list is ordered by time and id; `written_time_and_id` writes it."""
    moment, _, id = text.partition("|")
    created_at = datetime.fromisoformat(moment)
    if created_at.tzinfo is None:
        raise ValueError("a time without a zone is no place")
    return created_at, id


def written_time_and_id(created_at: datetime, id: str) -> str:
    return f"{created_at.isoformat()}|{id}"


def _digest(filters: Mapping[str, Any]) -> str:
    return digest_of(dict(filters))[:16]
