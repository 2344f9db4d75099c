"""Months that begin on the day an account was opened."""

import calendar
from datetime import datetime


def months_after(anchor: datetime, months: int) -> datetime:
    """The same day and time so many months later; a day that month does not have becomes its last."""
    year, month = divmod(anchor.month - 1 + months, 12)
    year += anchor.year
    last_day = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last_day))


def period_at(anchor: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of the month, counted from the anchor, in which `now` lies."""
    months = max(0, (now.year - anchor.year) * 12 + now.month - anchor.month)
    if months and months_after(anchor, months) > now:
        months -= 1
    return months_after(anchor, months), months_after(anchor, months + 1)
