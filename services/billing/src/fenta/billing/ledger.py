"""Double entry in integers for one organisation: transactions that sum to zero, and the balances they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fenta.billing.plans import LIMITED_UNITS
from fenta.contracts.ids import new_id

# Granted, unlimited and overage are where quantities come from, so they stand below zero.
Account = Literal["granted", "unlimited", "overage", "available", "held", "used"]
Kind = Literal["grant", "hold", "capture", "over_budget", "late", "direct", "release", "expire", "settle"]

NEVER_NEGATIVE: frozenset[Account] = frozenset({"available", "held", "used"})

Balances = dict[tuple[str, Account], int]


class Unbalanced(Exception):
    """A transaction that does not sum to zero."""


class Overdrawn(Exception):
    """A transaction that takes more from an account than it holds."""


@dataclass(frozen=True)
class Cause:
    """Why something is posted. `reference` is unique for ever, so that nothing is booked twice."""

    reference: str
    job_id: str | None = None
    usage_id: str | None = None
    unit_price_micros: int = 0


@dataclass(frozen=True)
class Transaction:
    """One movement of one unit between accounts."""

    id: str
    kind: Kind
    unit: str
    quantity: int
    postings: Mapping[Account, int]
    cause: Cause

    @property
    def cost_micros(self) -> int:
        return self.quantity * self.cause.unit_price_micros


def source(unit: str) -> Account:
    """Where a hold takes a unit from."""
    return "available" if unit in LIMITED_UNITS else "unlimited"


class Ledger:
    """The balances of an organisation, and what was posted since they were read."""

    def __init__(self, balances: Mapping[tuple[str, Account], int] | None = None) -> None:
        self.balances: Balances = dict(balances or {})
        self.posted: list[Transaction] = []
        self.changed: set[tuple[str, Account]] = set()

    def balance(self, unit: str, account: Account) -> int:
        return self.balances.get((unit, account), 0)

    def available(self) -> dict[str, int]:
        """What can be held of the limited units."""
        return {unit: self.balance(unit, "available") for unit in LIMITED_UNITS}

    def units(self) -> list[str]:
        return sorted({unit for unit, _ in self.balances})

    def grant(self, unit: str, quantity: int, cause: Cause) -> None:
        self._post("grant", unit, quantity, {"granted": -quantity, "available": quantity}, cause)

    def hold(self, unit: str, quantity: int, cause: Cause) -> None:
        self._post("hold", unit, quantity, {source(unit): -quantity, "held": quantity}, cause)

    def capture(self, unit: str, quantity: int, cause: Cause) -> None:
        self._post("capture", unit, quantity, {"held": -quantity, "used": quantity}, cause)

    def release(self, unit: str, quantity: int, cause: Cause) -> None:
        self._post("release", unit, quantity, {"held": -quantity, source(unit): quantity}, cause)

    def debit(self, kind: Literal["over_budget", "late", "direct"], unit: str, quantity: int, cause: Cause) -> None:
        """Usage that no hold covers: what is available pays for it, the rest is overage."""
        if unit not in LIMITED_UNITS:
            return self._post(kind, unit, quantity, {"unlimited": -quantity, "used": quantity}, cause)
        paid = min(quantity, self.balance(unit, "available"))
        postings: dict[Account, int] = {"available": -paid, "overage": paid - quantity, "used": quantity}
        return self._post(kind, unit, quantity, postings, cause)

    def close_period(self, unit: str, reference: str) -> None:
        """What is left expires and what was used is settled, so that the next month begins with its grant."""
        left, used = self.balance(unit, "available"), self.balance(unit, "used")
        over = -self.balance(unit, "overage")
        ground: Account = "granted" if unit in LIMITED_UNITS else "unlimited"
        self._post("expire", unit, left, {"available": -left, ground: left}, Cause(f"expire:{reference}"))
        settled: dict[Account, int] = {"used": -used, "overage": over, ground: used - over}
        self._post("settle", unit, used, settled, Cause(f"settle:{reference}"))

    def _post(self, kind: Kind, unit: str, quantity: int, postings: Mapping[Account, int], cause: Cause) -> None:
        if quantity < 0:
            raise ValueError(f"{kind} of {quantity} {unit}")
        if quantity == 0:
            return
        postings = {account: amount for account, amount in postings.items() if amount}
        if sum(postings.values()) != 0:
            raise Unbalanced(f"{kind} of {quantity} {unit} sums to {sum(postings.values())}")
        self._check(unit, postings)
        for account, amount in postings.items():
            self.balances[unit, account] = self.balance(unit, account) + amount
            self.changed.add((unit, account))
        self.posted.append(Transaction(new_id("txn"), kind, unit, quantity, postings, cause))

    def _check(self, unit: str, postings: Mapping[Account, int]) -> None:
        for account, amount in postings.items():
            if account in NEVER_NEGATIVE and self.balance(unit, account) + amount < 0:
                raise Overdrawn(f"{account} holds {self.balance(unit, account)} {unit}, {-amount} were asked")
