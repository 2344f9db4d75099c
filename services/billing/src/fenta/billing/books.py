"""What each event means for the books of one organisation: decided here, purely; read and written elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from fenta.billing.ledger import Cause, Ledger
from fenta.billing.models import Account, Hold, Outcome, UsageLine
from fenta.billing.plans import PLANS
from fenta.billing.prices import CURRENT, PRICE_LISTS, PriceList
from fenta.billing.rating import Quote, Units, lacking, positive, quote, unit_price
from fenta.contracts.events import (
    BudgetExceeded,
    Event,
    HoldRequested,
    JobAuthorized,
    JobEnded,
    JobEvent,
    JobRefused,
    JobRequested,
    OrgCreated,
    UsageRecorded,
)

NO_EVENTS: Sequence[Event] = ()


@dataclass(kw_only=True)
class Books:
    """The part of an organisation's books that some events touch. All of it was read under the account's lock."""

    account: Account
    ledger: Ledger
    now: datetime
    release_wait: timedelta
    holds: dict[str, Hold] = field(default_factory=dict)
    usage: dict[str, UsageLine] = field(default_factory=dict)
    fresh_usage: list[UsageLine] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def renew(self) -> None:
        """Close the month that has passed, if one has, and grant what the plan includes."""
        if not self.account.is_due(self.now):
            return
        period = self.account.begin_period(self.now)
        for unit in self.ledger.units():
            self.ledger.close_period(unit, f"{period}:{unit}")
        for unit, quantity in PLANS[self.account.plan].allowances.items():
            self.ledger.grant(unit, quantity, Cause(f"grant:{period}:{unit}"))

    def open_account(self, event: OrgCreated) -> Sequence[Event]:
        """Every event opens the account of its organisation before it is looked at; this one does nothing else."""
        return NO_EVENTS

    def request_hold(self, event: JobRequested) -> Sequence[Event]:
        """Reserve what the job may take, or say why not."""
        known = self.holds.get(event.job_id)
        if known is not None:
            return self._answer_late_request(known, event)
        found = self.quote(low=event.estimate.low, high=event.estimate.high, max_cost_micros=event.max_cost_micros)
        if not found.ok:
            self.holds[event.job_id] = self._new_hold(event, "refused", revision=1)
            return [_refused(event, 1, found.code or "", found.message, found.missing)]
        hold = self.holds[event.job_id] = self._new_hold(event, "open")
        hold.max_cost_micros = event.max_cost_micros
        hold.expires_at = event.hold_expires_at
        hold.price_version, hold.unit_prices_micros = CURRENT.version, dict(CURRENT.micros)
        return [self._reserve(hold, event, 1, found.hold, found.cost_limit_micros)]

    def _answer_late_request(self, known: Hold, event: JobRequested) -> Sequence[Event]:
        """An end that came first has left a mark, and the request is refused; else it was answered before."""
        if known.revision:
            return NO_EVENTS
        known.revision = 1
        return [_refused(event, 1, "job_final", "The job ended before it could start.")]

    def raise_hold(self, event: HoldRequested) -> Sequence[Event]:
        """Reserve more for a job that runs, or say why not; what was held stays held."""
        hold = self.holds.get(event.job_id)
        if hold is None:
            return [_refused(event, event.revision, "not_found", "There is no hold for this job.")]
        if event.revision <= hold.revision:
            return NO_EVENTS
        if hold.state != "open":
            hold.revision = event.revision
            return [_refused(event, event.revision, "job_final", "The job has ended, its hold is closed.")]
        return [self._raise(hold, event)]

    def _raise(self, hold: Hold, event: HoldRequested) -> Event:
        prices = PRICE_LISTS[hold.price_version]
        total = {unit: max(hold.units.get(unit, 0), most) for unit, most in (hold.units | positive(event.hold)).items()}
        if event.max_cost_micros is not None:
            hold.max_cost_micros = event.max_cost_micros
        refusal = self._refusal(hold, event, total, prices)
        if refusal is not None:
            hold.revision = event.revision
            return refusal
        limit = prices.cost(total) if hold.max_cost_micros is None else hold.max_cost_micros
        return self._reserve(hold, event, event.revision, total, limit)

    def _refusal(self, hold: Hold, event: HoldRequested, total: Units, prices: PriceList) -> JobRefused | None:
        if unpriced := prices.unpriced(total):
            return _refused(event, event.revision, "unpriced", f"There is no price for {', '.join(unpriced)}.")
        more = {unit: quantity - hold.units.get(unit, 0) for unit, quantity in total.items()}
        if missing := lacking(more, self.ledger.available()):
            return _refused(event, event.revision, "insufficient_credits", "The account is too small.", missing)
        if hold.max_cost_micros is not None and prices.cost(total) > hold.max_cost_micros:
            sentence = f"{prices.cost(total)} micros are needed, the limit is {hold.max_cost_micros}."
            return _refused(event, event.revision, "max_cost_too_low", sentence)
        return None

    def _reserve(self, hold: Hold, event: JobEvent, revision: int, units: Units, limit_micros: int) -> JobAuthorized:
        for unit, quantity in units.items():
            cause = Cause(f"hold:{hold.job_id}:{revision}:{unit}", job_id=hold.job_id)
            self.ledger.hold(unit, quantity - hold.units.get(unit, 0), cause)
        hold.reserve(revision=revision, units=units, cost_limit_micros=limit_micros)
        return JobAuthorized(
            org_id=event.org_id,
            project_id=event.project_id,
            job_id=event.job_id,
            revision=revision,
            hold=hold.units,
            cost_limit_micros=limit_micros,
            unit_prices_micros=hold.unit_prices_micros,
            price_version=hold.price_version,
            expires_at=hold.expires_at or self.now,
        )

    def record_usage(self, event: UsageRecorded) -> Sequence[Event]:
        """Take a line of usage once for ever: from the job's hold, or from the account where there is none."""
        if event.usage_id in self.usage:
            self._compare(self.usage[event.usage_id], event)
            return NO_EVENTS
        hold = self.holds.get(event.job_id or "")
        prices = hold.unit_prices_micros if hold and hold.unit_prices_micros else CURRENT.micros
        line = self._line(event, unit_price(event.unit, event.detail, prices))
        if line.quantity <= 0:
            return NO_EVENTS
        if hold is not None and hold.takes_usage:
            return self._capture(hold, line)
        line.outcome = "late" if line.job_id else "direct"
        self.ledger.debit(line.outcome, line.unit, line.quantity, _cause(line, line.outcome))
        return NO_EVENTS

    def _compare(self, known: UsageLine, event: UsageRecorded) -> None:
        """The second line of an id changes nothing; one that says something else is told aloud."""
        if (known.unit, known.quantity, known.job_id) != (event.unit, event.quantity, event.job_id):
            self.conflicts.append(event.usage_id)

    def _line(self, event: UsageRecorded, unit_price_micros: int) -> UsageLine:
        line = UsageLine(
            usage_id=event.usage_id,
            org_id=event.org_id,
            unit=event.unit,
            quantity=event.quantity,
            occurred_at=event.occurred_at,
            recorded_at=self.now,
            outcome="ignored",
            project_id=event.project_id,
            job_id=event.job_id,
            step_id=event.step_id,
            node_type=event.node_type,
            unit_price_micros=unit_price_micros,
            cost_micros=max(0, event.quantity) * unit_price_micros,
            detail=event.detail,
        )
        self.usage[line.usage_id] = line
        self.fresh_usage.append(line)
        return line

    def _capture(self, hold: Hold, line: UsageLine) -> Sequence[Event]:
        covered = hold.capture(line.unit, line.quantity, line.cost_micros)
        over = line.quantity - covered
        line.outcome = "over_budget" if over else "captured"
        self.ledger.capture(line.unit, covered, _cause(line, "capture"))
        self.ledger.debit("over_budget", line.unit, over, _cause(line, "over_budget"))
        if hold.arrive(line.usage_id):
            self.release(hold)
        return [_exceeded(hold, line.unit, over)] if over else NO_EVENTS

    def end_job(self, event: JobEnded) -> Sequence[Event]:
        """Release what is left, as soon as every line of usage the end names is here."""
        hold = self.holds.get(event.job_id)
        if hold is None:
            self.holds[event.job_id] = self._new_hold(event, "ended")
            return NO_EVENTS
        if hold.state != "open":
            return NO_EVENTS
        hold.end([name for name in event.usage_ids if name not in self.usage], self.now + self.release_wait)
        if not hold.awaited:
            self.release(hold)
        return NO_EVENTS

    def release_due(self) -> list[Hold]:
        """Close the holds whose end has waited long enough, and those that expired; answers them."""
        due = [hold for hold in self.holds.values() if self._is_due(hold)]
        for hold in due:
            self.release(hold)
        return due

    def _is_due(self, hold: Hold) -> bool:
        at = {"ending": hold.release_at, "open": hold.expires_at}.get(hold.state)
        return at is not None and at <= self.now

    def release(self, hold: Hold) -> None:
        for unit, quantity in hold.release().items():
            self.ledger.release(unit, quantity, Cause(f"release:{hold.job_id}:{unit}", job_id=hold.job_id))

    def quote(self, *, low: Mapping[str, int], high: Mapping[str, int], max_cost_micros: int | None) -> Quote:
        """What a request would be answered now."""
        available = self.ledger.available()
        return quote(low=low, high=high, available=available, prices=CURRENT, max_cost_micros=max_cost_micros)

    def _new_hold(self, event: JobEvent, state: Literal["open", "refused", "ended"], *, revision: int = 0) -> Hold:
        return Hold(job_id=event.job_id, org_id=event.org_id, state=state, created_at=self.now, revision=revision)


def _cause(line: UsageLine, kind: Outcome | Literal["capture"]) -> Cause:
    return Cause(
        f"{kind}:{line.usage_id}",
        job_id=line.job_id,
        usage_id=line.usage_id,
        unit_price_micros=line.unit_price_micros,
    )


def _refused(event: JobEvent, revision: int, code: str, message: str, missing: Units | None = None) -> JobRefused:
    return JobRefused(
        org_id=event.org_id,
        project_id=event.project_id,
        job_id=event.job_id,
        revision=revision,
        code=code,
        missing=missing or {},
        message=message,
    )


def _exceeded(hold: Hold, unit: str, over: int) -> BudgetExceeded:
    fields: dict[str, Any] = {"org_id": hold.org_id, "job_id": hold.job_id, "unit": unit, "over": over}
    return BudgetExceeded(scope="job", limit_micros=hold.cost_limit_micros, spent_micros=hold.spent_micros, **fields)
