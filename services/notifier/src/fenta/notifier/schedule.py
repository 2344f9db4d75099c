"""When a delivery is tried again: pauses that grow, a little chance, and the receiver's own wish."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

SECOND, MINUTE, HOUR = 1.0, 60.0, 3600.0
TEN_ATTEMPTS: tuple[float, ...] = (
    0,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
JITTER = 0.2
LONGEST_WISH_SECONDS = 24 * HOUR


def pause_after(
    attempts: int, schedule: Sequence[float], *, chance: float, wish_seconds: float | None = None
) -> float | None:
    """Seconds until the next attempt after so many, or None when there is none left.

    `chance` is a random number between 0 and 1: it moves the pause by up to a fifth either way. A receiver may wish
    for a longer pause, up to a day.
    """
    if attempts >= len(schedule):
        return None
    pause = schedule[attempts] * (1 - JITTER + 2 * JITTER * chance)
    return max(pause, min(wish_seconds or 0.0, LONGEST_WISH_SECONDS))


def wish_of(retry_after: str | None, now: datetime) -> float | None:
    """`Retry-After` in seconds, given as a number or as a date; None for anything else or for the past."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WISH_SECONDS)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None
