"""What a job may reserve and what a line of usage costs: pure arithmetic over prices and balances."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from fenta.billing.prices import PriceList

LOCAL = "local"
# These can be made by engines on the machine itself, which cost nothing; so the least they may cost is nothing.
LOCALLY_MADE = frozenset({"llm_tokens", "kai_credits", "tts_characters"})

Units = dict[str, int]


@dataclass(frozen=True)
class Quote:
    """What would be held for a job, or the code and the quantities that stand in its way."""

    code: str | None
    message: str
    hold: Units = field(default_factory=dict)
    missing: Units = field(default_factory=dict)
    cost_low_micros: int = 0
    cost_high_micros: int = 0
    cost_limit_micros: int = 0

    @property
    def ok(self) -> bool:
        return self.code is None


def quote(
    *,
    low: Mapping[str, int],
    high: Mapping[str, int],
    available: Mapping[str, int],
    prices: PriceList,
    max_cost_micros: int | None = None,
) -> Quote:
    """All units or none: high where it fits account and cost limit, never less than low.

    `available` names the limited units only. Without `max_cost_micros` the limit is the price of what is held.
    """
    low = positive(low)
    high = {unit: max(low.get(unit, 0), quantity) for unit, quantity in (low | positive(high)).items()}
    if unpriced := prices.unpriced(high):
        return Quote("unpriced", f"There is no price for {', '.join(unpriced)}.")
    limit = prices.cost(high) if max_cost_micros is None else max_cost_micros
    answer = Quote(
        None,
        "The job can start.",
        cost_low_micros=least_cost(low, prices),
        cost_high_micros=prices.cost(high),
        cost_limit_micros=limit,
    )
    if missing := lacking(low, available):
        return replace(answer, code="insufficient_credits", message=_too_little(missing, available), missing=missing)
    if prices.cost(low) > limit:
        sentence = f"At least {prices.cost(low)} micros must be allowed, the limit is {limit}."
        return replace(answer, code="max_cost_too_low", message=sentence)
    return replace(answer, hold=within_cost(low, within_account(high, available), prices, limit))


def positive(units: Mapping[str, int]) -> Units:
    return {unit: quantity for unit, quantity in units.items() if quantity > 0}


def lacking(units: Mapping[str, int], available: Mapping[str, int]) -> Units:
    """How much more of each limited unit would be needed."""
    return {
        unit: quantity - available[unit]
        for unit, quantity in units.items()
        if unit in available and quantity > available[unit]
    }


def within_account(high: Mapping[str, int], available: Mapping[str, int]) -> Units:
    return {unit: min(quantity, available.get(unit, quantity)) for unit, quantity in high.items()}


def within_cost(low: Mapping[str, int], high: Mapping[str, int], prices: PriceList, limit_micros: int) -> Units:
    """High, or the largest mixture of low and high whose price stays within the limit."""
    dearest, cheapest = prices.cost(high), prices.cost(low)
    if dearest <= limit_micros:
        return dict(high)
    share = Fraction(limit_micros - cheapest, dearest - cheapest)
    return {unit: low.get(unit, 0) + int((most - low.get(unit, 0)) * share) for unit, most in high.items()}


def least_cost(low: Mapping[str, int], prices: PriceList) -> int:
    return prices.cost({unit: quantity for unit, quantity in low.items() if unit not in LOCALLY_MADE})


def unit_price(unit: str, detail: Mapping[str, Any], micros: Mapping[str, int]) -> int:
    """What one of this unit costs on a line of usage: nothing if an engine on the machine itself made it."""
    return 0 if detail.get("provider") == LOCAL else micros.get(unit, 0)


def _too_little(missing: Mapping[str, int], available: Mapping[str, int]) -> str:
    parts = [
        f"{available[unit] + more} {unit} are needed, {available[unit]} are left" for unit, more in missing.items()
    ]
    return "; ".join(parts) + "."
