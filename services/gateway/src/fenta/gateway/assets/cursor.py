"""Where a list goes on: opaque, bound to the filters it was made under, good for a day."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fenta.chassis.errors import Problem
from fenta.contracts.digest import digest_of

LIFETIME_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Cursor:
    """The place of the last thing that was seen: its time and id."""

    place: tuple[datetime, str]

    @staticmethod
    def behind(created_at: datetime, id: str, filters: Mapping[str, Any]) -> str:
        fields = {"a": created_at.isoformat(), "i": id, "f": _digest(filters), "u": int(time.time()) + LIFETIME_SECONDS}
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, filters: Mapping[str, Any]) -> "Cursor":
        """Raises `cursor_invalid` for one that is broken, too old, or of another list."""
        try:
            fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = datetime.fromisoformat(fields["a"]), str(fields["i"])
            fits = fields["f"] == _digest(filters) and fields["u"] >= time.time()
        except (ValueError, KeyError, TypeError) as error:
            raise _invalid() from error
        if not fits or place[0].tzinfo is None:
            raise _invalid()
        return cls(place)


def _digest(filters: Mapping[str, Any]) -> str:
    return digest_of(dict(filters))[:16]


def _invalid() -> Problem:
    return Problem("cursor_invalid", "The cursor is broken, too old, or of another list.", hint="Start from the top.")
