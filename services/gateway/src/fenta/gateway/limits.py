"""How often a person may ask: the plans as data, the verdict, and the header fields that tell of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fenta.chassis.errors import Problem
from fenta.gateway import metrics
from fenta.gateway.models import Window

WINDOWS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True)
class Plan:
    """Requests per person, over all their sessions and tokens."""

    per_minute: int
    per_hour: int
    access_tokens: int

    def quota(self, seconds: int) -> int:
        return self.per_minute if seconds == WINDOWS["minute"] else self.per_hour


PLANS = {
    "free": Plan(per_minute=100, per_hour=1_000, access_tokens=2),
    "starter": Plan(per_minute=200, per_hour=4_000, access_tokens=10),
    "pro": Plan(per_minute=600, per_hour=12_000, access_tokens=50),
    "enterprise": Plan(per_minute=3_000, per_hour=60_000, access_tokens=1_000),
}


def plan_named(name: str | None) -> Plan:
    """Free is the floor, also for a plan this version does not know."""
    return PLANS.get(name or "free", PLANS["free"])


def headers(plan: Plan, windows: Sequence[Window]) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit`, as the IETF draft writes them."""
    names = {seconds: name for name, seconds in WINDOWS.items()}
    policy = [f'"{names[window.seconds]}";q={plan.quota(window.seconds)};w={window.seconds}' for window in windows]
    state = [
        f'"{names[window.seconds]}";r={max(0, plan.quota(window.seconds) - window.requests)}'
        f";t={max(0, math.ceil(window.seconds_left))}"
        for window in windows
    ]
    return {"RateLimit-Policy": ", ".join(policy), "RateLimit": ", ".join(state)}


def require_room(plan: Plan, windows: Sequence[Window]) -> None:
    """Raises `rate_limited` when this request is one too many in any window."""
    over = [window for window in windows if window.requests > plan.quota(window.seconds)]
    if over:
        metrics.rate_limited.labels("person").inc()
        raise too_many(max(window.seconds_left for window in over))


def too_many(seconds: float) -> Problem:
    return Problem(
        "rate_limited",
        "There were too many requests in a short time.",
        hint="Follow jobs by their stream instead of asking again and again.",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
