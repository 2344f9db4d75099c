"""The use cases of billing: they own the transactions, and the books decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from fenta.billing import metrics, repository
from fenta.billing.books import Books
from fenta.billing.ledger import Ledger
from fenta.billing.models import Account
from fenta.billing.repository import Found, Scope
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.messages import Message
from fenta.chassis.telemetry import log, trace
from fenta.contracts.events import Event, JobEnded, JobEvent, UsageRecorded

UseCase = Callable[[Books, Any], Sequence[Event]]
MOST_DUE = 100


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class UsageReport:
    totals: Sequence[Any]
    groups: Sequence[Any]


class BillingService:
    """Accounts, holds and the ledger. `clock` is passed in, so that tests can turn months."""

    def __init__(
        self,
        *,
        database: Database,
        default_plan: str,
        release_wait: timedelta = timedelta(minutes=15),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._default_plan = default_plan
        self._release_wait = release_wait
        self._clock = clock

    async def keep_books(
        self, session: Session, messages: Sequence[Message[Any]], *, use_cases: Mapping[type[Event], UseCase]
    ) -> None:
        """Lock the books these events touch, let each event change them in its turn, and write them back."""
        books = await self._open(session, scope_of(messages))
        for message in messages:
            told = use_cases[type(message.event)](books[message.event.org_id], message.event)
            with trace(message.traceparent):
                for event in told:
                    session.publish(event, causation_id=message.id)
        await self._write(session, books)
        crash_point("books.written")

    async def release_due(self) -> int:
        """Close holds whose end has waited long enough, or that expired; answers how many."""
        async with self._database.transaction() as session:
            scope = await repository.list_due(session, self._clock(), most=MOST_DUE)
            if not scope.org_ids:
                return 0
            books = await self._open(session, scope)
            released = [hold for one in books.values() for hold in one.release_due()]
            await self._write(session, books)
            crash_point("holds.released")
        for hold in released:
            log.warning("hold.released", job_id=hold.job_id, org_id=hold.org_id, reason="due")
        return len(released)

    async def view(self, org_id: str) -> Books:
        """The balances as they stand now, a month that has begun unnoticed included; nothing is written."""
        async with self._database.api_transaction(org_id) as session:
            account = await repository.find_account(session, org_id)
            balances = await repository.balances(session, [org_id])
            session.expunge_all()
        account = account or Account(org_id=org_id, plan=self._default_plan, opened_at=self._clock())
        books = self._books(account, Ledger(balances[org_id]))
        books.renew()
        return books

    async def list_history(self, org_id: str, *, job_id: str | None, before: int | None, most: int) -> Sequence[Any]:
        """Lines of the ledger, newest first."""
        async with self._database.api_transaction(org_id) as session:
            return await repository.list_transactions(session, job_id=job_id, before=before, most=most)

    async def report_usage(
        self, org_id: str, *, since: datetime | None, until: datetime | None, group_by: str | None
    ) -> tuple[datetime, datetime, UsageReport]:
        """What was used between two moments, by default in the running month."""
        period = await self.view(org_id)
        since = since or period.account.period_start or self._clock()
        until = until or max(since, self._clock()) + timedelta(seconds=1)
        async with self._database.api_transaction(org_id) as session:
            totals = await repository.list_usage(session, since=since, until=until)
            groups = await self._groups(session, group_by, since, until)
        return since, until, UsageReport(totals, groups)

    async def _groups(self, session: Session, by: str | None, since: datetime, until: datetime) -> Sequence[Any]:
        return await repository.list_usage_groups(session, by, since=since, until=until) if by else []

    async def measure(self) -> None:
        """Gauges from the tables: the same in every replica."""
        async with self._database.transaction() as session:
            holds, oldest = await repository.open_holds(session)
            drift = await repository.count_drift(session)
        metrics.open_holds.set(holds)
        metrics.oldest_hold_seconds.set(oldest)
        metrics.ledger_drift_accounts.set(drift)

    async def _open(self, session: Session, scope: Scope) -> dict[str, Books]:
        """The books of these organisations, each opened if it is new and renewed if its month has passed."""
        now = self._clock()
        await repository.open_accounts(session, scope.org_ids, plan=self._default_plan, now=now)
        books = self._bind(await repository.lock(session, scope))
        for one in books.values():
            one.renew()
        return books

    def _bind(self, found: Found) -> dict[str, Books]:
        books = {row.org_id: self._books(row, Ledger(found.balances[row.org_id])) for row in found.accounts}
        for hold in found.holds:
            if hold.org_id in books:
                books[hold.org_id].holds[hold.job_id] = hold
        for line in found.usage:
            if line.org_id in books:
                books[line.org_id].usage[line.usage_id] = line
        return books

    def _books(self, account: Account, ledger: Ledger) -> Books:
        return Books(account=account, ledger=ledger, now=self._clock(), release_wait=self._release_wait)

    async def _write(self, session: Session, books: Mapping[str, Books]) -> None:
        session.add_all(hold for one in books.values() for hold in one.holds.values())
        await session.flush()
        await repository.add_usage(session, [line for one in books.values() for line in one.fresh_usage])
        await repository.post(session, {org_id: one.ledger for org_id, one in books.items()}, self._clock())
        session.after_commit(lambda: _tell(books))


def scope_of(messages: Sequence[Message[Any]]) -> Scope:
    """Everything these events could touch."""
    scope = Scope()
    for event in (message.event for message in messages):
        scope.org_ids.add(event.org_id)
        if isinstance(event, JobEvent | UsageRecorded) and event.job_id:
            scope.job_ids.add(event.job_id)
        if isinstance(event, UsageRecorded):
            scope.usage_ids.add(event.usage_id)
        if isinstance(event, JobEnded):
            scope.usage_ids.update(event.usage_ids)
    return scope


def _tell(books: Mapping[str, Books]) -> None:
    for org_id, one in books.items():
        metrics.count(one)
        for usage_id in one.conflicts:
            log.error("usage.conflict", org_id=org_id, usage_id=usage_id)
        kinds = sorted(transaction.kind for transaction in one.ledger.posted)
        if kinds:
            lines = {kind: len(list(same)) for kind, same in groupby(kinds)}
            log.info("ledger.posted", org_id=org_id, lines=lines)
