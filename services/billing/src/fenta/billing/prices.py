"""Price lists by version. A published list never changes: a job is rated for ever at the one it was authorised with."""

from collections.abc import Mapping
from dataclasses import dataclass

CURRENCY = "USD"


@dataclass(frozen=True)
class PriceList:
    """What one of each unit costs, in millionths of a dollar."""

    version: str
    micros: Mapping[str, int]

    def cost(self, units: Mapping[str, int]) -> int:
        """The price of these quantities. Raises KeyError for a unit without a price."""
        return sum(quantity * self.micros[unit] for unit, quantity in units.items())

    def unpriced(self, units: Mapping[str, int]) -> list[str]:
        return sorted(unit for unit in units if unit not in self.micros)


PRICE_LISTS: dict[str, PriceList] = {
    prices.version: prices
    for prices in (
        # A thousand spoken characters are worth two credits.
        PriceList(
            "2026-07",
            {"llm_tokens": 1, "kai_credits": 50_000, "tts_characters": 100, "render_seconds": 20_000},
        ),
    )
}

CURRENT = PRICE_LISTS["2026-07"]
