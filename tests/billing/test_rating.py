"""Quotes and prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.billing.plans import LIMITED_UNITS, PLANS
from fenta.billing.prices import CURRENT, PRICE_LISTS
from fenta.billing.rating import quote, unit_price
from fenta.contracts.units import UNITS

PLENTY = dict(PLANS["pro"].allowances)
UNIT = st.sampled_from(UNITS)
ACCOUNTS = st.fixed_dictionaries({unit: st.integers(0, 9000) for unit in LIMITED_UNITS})
AMOUNTS = st.dictionaries(UNIT, st.integers(0, 5000))


def test_without_a_limit_everything_of_high_is_held() -> None:
    found = quote(low={"kai_credits": 4}, high={"kai_credits": 10}, available=PLENTY, prices=CURRENT)
    assert found.ok
    assert found.hold == {"kai_credits": 10}
    assert found.cost_limit_micros == found.cost_high_micros == 500_000


def test_a_cost_limit_cuts_between_low_and_high() -> None:
    found = quote(
        low={"kai_credits": 4, "render_seconds": 10},
        high={"kai_credits": 10, "render_seconds": 20},
        available=PLENTY,
        prices=CURRENT,
        max_cost_micros=650_000,
    )
    assert found.hold == {"kai_credits": 7, "render_seconds": 15}


def test_a_limit_below_low_is_refused_with_its_own_code() -> None:
    found = quote(low={"kai_credits": 4}, high={}, available=PLENTY, prices=CURRENT, max_cost_micros=199_999)
    assert (found.code, found.hold) == ("max_cost_too_low", {})


def test_a_small_account_is_told_what_is_missing() -> None:
    found = quote(
        low={"kai_credits": 60, "render_seconds": 10, "tts_characters": 10**9},
        high={},
        available=dict(PLANS["free"].allowances),
        prices=CURRENT,
    )
    assert found.code == "insufficient_credits"
    assert found.missing == {"kai_credits": 10}
    assert "60 kai_credits are needed, 50 are left" in found.message


def test_an_account_between_low_and_high_gives_what_it_has() -> None:
    found = quote(
        low={"kai_credits": 4},
        high={"kai_credits": 100, "tts_characters": 900},
        available={"kai_credits": 50},
        prices=CURRENT,
    )
    assert found.hold == {"kai_credits": 50, "tts_characters": 900}


def test_a_unit_without_a_price_is_refused() -> None:
    assert quote(low={}, high={"dreams": 1}, available=PLENTY, prices=CURRENT).code == "unpriced"


def test_what_local_engines_may_make_costs_at_least_nothing() -> None:
    low = {"llm_tokens": 1000, "kai_credits": 4, "tts_characters": 100, "render_seconds": 10}
    assert quote(low=low, high=low, available=PLENTY, prices=CURRENT).cost_low_micros == 200_000


@pytest.mark.parametrize(("provider", "expected"), [("local", 0), ("kie", 50_000), (None, 50_000)])
def test_local_engines_cost_nothing(provider: str | None, expected: int) -> None:
    assert unit_price("kai_credits", {"provider": provider}, CURRENT.micros) == expected


def test_every_unit_has_a_price_in_every_list() -> None:
    assert all(set(prices.micros) == set(UNITS) for prices in PRICE_LISTS.values())
    assert all(set(plan.allowances) == LIMITED_UNITS for plan in PLANS.values())


@given(low=AMOUNTS, more=AMOUNTS, available=ACCOUNTS, limit=st.none() | st.integers(0, 10**9))
def test_a_hold_is_never_below_low_nor_beyond_account_or_limit(
    low: dict[str, int], more: dict[str, int], available: dict[str, int], limit: int | None
) -> None:
    high = {unit: low.get(unit, 0) + more.get(unit, 0) for unit in {*low, *more}}
    found = quote(low=low, high=high, available=available, prices=CURRENT, max_cost_micros=limit)
    if not found.ok:
        assert found.hold == {}
        return
    assert all(found.hold.get(unit, 0) >= quantity for unit, quantity in low.items())
    assert all(quantity <= high[unit] for unit, quantity in found.hold.items())
    assert all(found.hold.get(unit, 0) <= most for unit, most in available.items())
    assert CURRENT.cost(found.hold) <= found.cost_limit_micros
