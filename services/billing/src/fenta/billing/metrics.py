"""What billing tells Prometheus."""

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from fenta.contracts.units import UNITS

if TYPE_CHECKING:
    from fenta.billing.books import Books

units_used = Counter("fenta_billing_units_used", "Units that were used, by plan.", ["unit", "plan"])
overruns = Counter("fenta_billing_overruns", "Lines of usage that went beyond their hold.", ["unit"])
late_usage = Counter(
    "fenta_billing_late_usage", "Lines of usage that came after their job's hold was closed.", ["unit"]
)
usage_conflicts = Counter("fenta_billing_usage_conflicts", "Repeated usage ids that say something else.")
open_holds = Gauge("fenta_billing_open_holds", "Holds that are not released.")
oldest_hold_seconds = Gauge("fenta_billing_oldest_hold_seconds", "Age of the oldest hold that is not released.")
ledger_drift_accounts = Gauge(
    "fenta_billing_ledger_drift_accounts", "Balances that are not the sum of their postings; must be 0.", ["against"]
).labels("postings")


def count(books: "Books") -> None:
    """Add what these books took in, once it is committed."""
    for line in books.fresh_usage:
        unit = line.unit if line.unit in UNITS else "other"
        if line.outcome != "ignored":
            units_used.labels(unit, books.account.plan).inc(line.quantity)
        if line.outcome == "over_budget":
            overruns.labels(unit).inc()
        if line.outcome == "late":
            late_usage.labels(unit).inc()
    usage_conflicts.inc(len(books.conflicts))
