"""Months counted from an anchor."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fenta.billing.periods import period_at

MOMENTS = st.integers(0, 5000 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def test_a_month_that_lacks_the_day_ends_on_its_last() -> None:
    anchor = datetime(2026, 1, 31, 12, tzinfo=UTC)
    start, end = period_at(anchor, datetime(2026, 3, 1, tzinfo=UTC))
    assert (start.month, start.day) == (2, 28)
    assert (end.month, end.day) == (3, 31)


@given(anchor=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_every_moment_lies_in_one_month_and_months_meet(anchor: datetime, later: timedelta) -> None:
    start, end = period_at(anchor, anchor + later)
    assert start <= anchor + later < end
    assert period_at(anchor, end)[0] == end
    assert period_at(anchor, end - timedelta(microseconds=1)) == (start, end)
