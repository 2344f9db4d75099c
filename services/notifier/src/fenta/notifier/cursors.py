"""Where a list goes on: opaque to callers, bound to the filters it was made with, valid for a day."""

import base64
import json
import time
from typing import Any

from fenta.chassis.errors import Problem
from fenta.contracts.digest import digest_of

LIFETIME_SECONDS = 24 * 60 * 60


def encode(after: int, filters: dict[str, Any]) -> str:
    """A cursor that goes on behind the row of this number."""
    content = json.dumps([after, digest_of(filters)[:16], int(time.time())], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(cursor: str | None, filters: dict[str, Any]) -> int | None:
    """The number behind which to go on. Raises `cursor_invalid` for a foreign, damaged or old cursor."""
    if cursor is None:
        return None
    try:
        after, digest, made_at = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = digest == digest_of(filters)[:16] and 0 <= time.time() - made_at <= LIFETIME_SECONDS
    except (ValueError, TypeError):
        fits, after = False, 0
    if not fits or not isinstance(after, int):
        raise Problem("cursor_invalid", "The cursor does not belong to this list.", hint="Start without a cursor.")
    return after
