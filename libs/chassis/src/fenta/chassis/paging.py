"""Where a list goes on: opaque to callers, bound to the filters it was made with, valid for a day."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from fenta.chassis.errors import Problem
from fenta.contracts.digest import digest_of

LIFETIME_SECONDS = 24 * 60 * 60


def encode(after: str, filters: Mapping[str, Any]) -> str:
    """A cursor that goes on behind this row; `after` is whatever the list is ordered by."""
    content = json.dumps([after, _digest(filters), int(time.time())], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(cursor: str | None, filters: Mapping[str, Any]) -> str | None:
    """Behind what to go on. Raises `cursor_invalid` for a foreign, damaged or old cursor."""
    if cursor is None:
        return None
    try:
        after, digest, made_at = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = digest == _digest(filters) and 0 <= time.time() - made_at <= LIFETIME_SECONDS
    except (ValueError, TypeError):
        fits, after = False, ""
    if not fits or not isinstance(after, str):
        raise Problem("cursor_invalid", "The cursor does not belong to this list.", hint="Start without a cursor.")
    return after


def _digest(filters: Mapping[str, Any]) -> str:
    return digest_of(dict(filters))[:16]
