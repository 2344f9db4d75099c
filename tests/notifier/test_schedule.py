"""The pauses between attempts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.notifier.schedule import TEN_ATTEMPTS, pause_after, wish_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = 24 * 3600


def test_there_are_ten_attempts_over_three_days() -> None:
    assert len(TEN_ATTEMPTS) == 10
    assert sum(TEN_ATTEMPTS) == 75 * 3600 + 35 * 60 + 5
    assert pause_after(9, TEN_ATTEMPTS, chance=0.5) == DAY
    assert pause_after(10, TEN_ATTEMPTS, chance=0.5) is None


@given(attempts=st.integers(0, 9), chance=st.floats(0, 1))
def test_chance_moves_a_pause_by_a_fifth_at_most(attempts: int, chance: float) -> None:
    pause = pause_after(attempts, TEN_ATTEMPTS, chance=chance)
    assert pause == pytest.approx(TEN_ATTEMPTS[attempts], rel=0.2000001)


@given(attempts=st.integers(0, 9), wish=st.floats(0, 10 * DAY))
def test_a_wish_is_granted_up_to_a_day(attempts: int, wish: float) -> None:
    pause = pause_after(attempts, TEN_ATTEMPTS, chance=0.5, wish_seconds=wish)
    assert pause is not None
    assert pause >= min(wish, DAY)
    assert pause <= max(TEN_ATTEMPTS[attempts], DAY)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", DAY),
        ("-1", None),
        ("1e99", None),
        ("soon", None),
        ("٣", None),
        ("", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("Sat, 21 Nov 2026 12:00:30", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert wish_of(header, NOW) == seconds
