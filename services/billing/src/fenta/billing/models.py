"""The tables of billing, and the transitions a hold allows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column

from fenta.billing.periods import period_at
from fenta.chassis.database import Base
from fenta.chassis.errors import FentaError

HoldState = Literal["open", "ending", "released", "refused", "ended"]
Outcome = Literal["captured", "over_budget", "late", "direct", "ignored"]


class WrongState(FentaError):
    """A hold was asked for a transition that its state does not allow."""


class Account(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One organisation's plan and month. Whoever changes its books locks this row first."""

    __tablename__ = "account"

    org_id: Mapped[str] = mapped_column(Text, primary_key=True)
    plan: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    period_start: Mapped[datetime | None] = mapped_column(default=None)
    period_end: Mapped[datetime | None] = mapped_column(default=None)

    def is_due(self, now: datetime) -> bool:
        """Whether a new month has begun since the last grant, or there was none yet."""
        return self.period_end is None or self.period_end <= now

    def begin_period(self, now: datetime) -> str:
        """Move to the month of `now`; answers a name for it that is unique for ever."""
        if not self.is_due(now):
            raise WrongState(f"the period of {self.org_id} lasts until {self.period_end}")
        self.period_start, self.period_end = period_at(self.opened_at, now)
        return f"{self.org_id}:{self.period_start.date()}"


class Hold(MappedAsDataclass, Base, kw_only=True, eq=False):
    """What is reserved for one job, or the mark that nothing is.

    `refused` had no room, `ended` came before its request; both stay so. `open` may be captured from;
    `ending` waits for the usage its end has named; `released` gave back the rest.
    """

    __tablename__ = "hold"

    job_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text, ForeignKey("account.org_id", ondelete="CASCADE"), index=True)
    state: Mapped[HoldState] = mapped_column(Text)
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=0)
    units: Mapped[dict[str, int]] = mapped_column(default_factory=dict)
    captured: Mapped[dict[str, int]] = mapped_column(default_factory=dict)
    price_version: Mapped[str] = mapped_column(Text, default="")
    unit_prices_micros: Mapped[dict[str, int]] = mapped_column(default_factory=dict)
    max_cost_micros: Mapped[int | None] = mapped_column(BigInteger, default=None)
    cost_limit_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    spent_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    awaited: Mapped[list[str]] = mapped_column(default_factory=list)
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    release_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def takes_usage(self) -> bool:
        return self.state in ("open", "ending")

    def left(self, unit: str) -> int:
        return self.units.get(unit, 0) - self.captured.get(unit, 0)

    def reserve(self, *, revision: int, units: Mapping[str, int], cost_limit_micros: int) -> None:
        """Take this new total as held, at least what was held before."""
        self._require("open")
        if revision <= self.revision:
            raise WrongState(f"revision {revision} of {self.job_id} is behind {self.revision}")
        self.revision = revision
        self.units = dict(units)
        self.cost_limit_micros = cost_limit_micros

    def capture(self, unit: str, quantity: int, cost_micros: int) -> int:
        """Note usage; answers how much of it the hold covers."""
        self._require("open", "ending")
        covered = min(quantity, max(0, self.left(unit)))
        self.captured = self.captured | {unit: self.captured.get(unit, 0) + covered}
        self.spent_micros += cost_micros
        return covered

    def end(self, awaited: list[str], release_at: datetime) -> None:
        """The job is over; these lines of usage have not arrived yet."""
        self._require("open")
        self.state, self.awaited, self.release_at = "ending", awaited, release_at

    def arrive(self, usage_id: str) -> bool:
        """Whether this was the last line that an ended job waited for."""
        self.awaited = [awaited for awaited in self.awaited if awaited != usage_id]
        return self.state == "ending" and not self.awaited

    def release(self) -> dict[str, int]:
        """Close the hold; answers what goes back."""
        self._require("open", "ending")
        self.state, self.awaited, self.release_at = "released", [], None
        return {unit: self.left(unit) for unit in self.units if self.left(unit) > 0}

    def _require(self, *states: HoldState) -> None:
        if self.state not in states:
            raise WrongState(f"the hold of {self.job_id} is {self.state}, not {' or '.join(states)}")


class UsageLine(MappedAsDataclass, Base, kw_only=True, eq=False):
    """One line of usage as it was recorded and rated; its id is taken once, for ever."""

    __tablename__ = "usage_line"

    usage_id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text, ForeignKey("account.org_id", ondelete="CASCADE"))
    unit: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    outcome: Mapped[Outcome] = mapped_column(Text)
    project_id: Mapped[str | None] = mapped_column(Text, default=None)
    job_id: Mapped[str | None] = mapped_column(Text, default=None)
    step_id: Mapped[str | None] = mapped_column(Text, default=None)
    node_type: Mapped[str | None] = mapped_column(Text, default=None)
    unit_price_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    detail: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
