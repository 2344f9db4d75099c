"""What a job cost, from the lines of the ledger: held before it began, captured by use, the rest released."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from .api import Api, Json

SETTLE_SECONDS = 15.0
LOOK_SECONDS = 0.2
# Beyond the hold; the ledger says why.
EXTRA = {"over_budget", "late", "direct"}


@dataclass
class UnitBill:
    """One unit's quantities; `extra` was taken beside the hold."""

    held: int = 0
    captured: int = 0
    released: int = 0
    extra: int = 0

    @property
    def settled(self) -> bool:
        return self.held == self.captured + self.released


@dataclass
class Bill:
    units: dict[str, UnitBill] = field(default_factory=dict)
    cost_micros: int = 0
    balance: Json = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether nothing of the hold is open any more."""
        return bool(self.units) and all(unit.settled for unit in self.units.values())


def bill_of(lines: Iterable[Json]) -> Bill:
    bill = Bill()
    for line in lines:
        kind = line["kind"]
        unit = bill.units.setdefault(line["unit"], UnitBill())
        unit.held += line["quantity"] * (kind == "hold")
        unit.captured += line["quantity"] * (kind == "capture")
        unit.released += line["quantity"] * (kind == "release")
        unit.extra += line["quantity"] * (kind in EXTRA)
        bill.cost_micros += line["cost"]["amount_micros"] * (kind == "capture" or kind in EXTRA)
    return bill


def settle(api: Api, job_id: str, *, seconds: float = SETTLE_SECONDS) -> Bill:
    """The bill of a job that has ended. Billing hears of the end a moment later, so its last lines are waited for."""
    deadline = time.monotonic() + seconds
    while not (bill := bill_of(_lines(api, job_id))).settled and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    bill.balance = api.get("/tokens/balance")
    return bill


def _lines(api: Api, job_id: str) -> list[Json]:
    page = api.get("/tokens/history", job_id=job_id, limit="100")
    lines: list[Json] = page["data"]
    while cursor := page.get("next_cursor"):
        page = api.get("/tokens/history", job_id=job_id, limit="100", cursor=cursor)
        lines += page["data"]
    return lines
