"""What each plan includes in a month, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PlanName = Literal["free", "starter", "pro", "enterprise"]


@dataclass(frozen=True)
class Plan:
    """`allowances` are granted anew each month; a unit without one is counted but not limited."""

    name: PlanName
    allowances: Mapping[str, int]


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("free", {"llm_tokens": 100_000, "kai_credits": 50, "render_seconds": 300}),
        Plan("starter", {"llm_tokens": 1_000_000, "kai_credits": 500, "render_seconds": 3_600}),
        Plan("pro", {"llm_tokens": 5_000_000, "kai_credits": 2_000, "render_seconds": 10_800}),
        # What holds until a contract says otherwise.
        Plan("enterprise", {"llm_tokens": 50_000_000, "kai_credits": 20_000, "render_seconds": 108_000}),
    )
}

LIMITED_UNITS: frozenset[str] = frozenset(PLANS["free"].allowances)
