"""The routes billing serves, and the one the gateway asks inwardly."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from fenta.billing.books import Books
from fenta.billing.plans import LIMITED_UNITS
from fenta.billing.prices import CURRENT
from fenta.billing.rating import Quote
from fenta.billing.schemas import (
    Balance,
    Balances,
    History,
    HistoryLine,
    HistoryQuery,
    Money,
    Quota,
    Quotas,
    QuoteAnswer,
    QuoteCost,
    QuoteRequest,
    QuoteUnit,
    Usage,
    UsageGroup,
    UsageQuery,
    UsageTotal,
)
from fenta.billing.service import BillingService
from fenta.chassis import paging
from fenta.chassis.http import StrictRoute, caller
from fenta.chassis.identity import HEADER, Identity
from fenta.contracts.units import UNITS

Reader = Annotated[Identity, caller("usage:read")]


def anyone(request: Request) -> Identity:
    """Whoever the gateway speaks for: a quote goes with every request that makes a job, whatever its scopes."""
    identity: Identity = request.app.state.verifier.identity(request.headers.get(HEADER), audience="billing")
    return identity


def router(billing: BillingService) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)
    _add_tokens(routes, billing)
    _add_usage(routes, billing)
    _add_quote(routes, billing)
    return routes


def _add_tokens(routes: APIRouter, billing: BillingService) -> None:
    @routes.get("/v1/tokens/balance", summary="All balances of the organisation")
    async def balance(identity: Reader) -> Balances:
        return balances_of(await billing.view(identity.org_id))

    @routes.get("/v1/tokens/history", summary="Lines of the ledger, newest first")
    async def history(identity: Reader, query: Annotated[HistoryQuery, Query()]) -> History:
        filters = {"org_id": identity.org_id, "job_id": query.job_id}
        before = paging.behind(query.cursor, filters, paging.number)
        lines = await billing.list_history(identity.org_id, job_id=query.job_id, before=before, most=query.limit + 1)
        page, cursor = paging.cut(lines, query.limit, filters, lambda line: line.number)
        return History(data=[_history_line(line) for line in page], next_cursor=cursor)


def _add_usage(routes: APIRouter, billing: BillingService) -> None:
    @routes.get("/v1/usage", summary="What was used, and what it cost")
    async def usage(identity: Reader, query: Annotated[UsageQuery, Query()]) -> Usage:
        since, until, report = await billing.report_usage(
            identity.org_id, since=_aware(query.since), until=_aware(query.until), group_by=query.group_by
        )
        totals = [_total(row) for row in report.totals]
        groups = [UsageGroup(name=row.name, **vars(_total(row))) for row in report.groups]
        cost = Money(amount_micros=sum(total.cost.amount_micros for total in totals))
        return Usage(since=since, until=until, totals=totals, cost=cost, group_by=query.group_by, data=groups)

    @routes.get("/v1/usage/quota", summary="What the plan allows this month, and what is left")
    async def quota(identity: Reader) -> Quotas:
        return quotas_of(await billing.view(identity.org_id))


def _add_quote(routes: APIRouter, billing: BillingService) -> None:
    @routes.post("/internal/quote", include_in_schema=False)
    async def quote(body: QuoteRequest, identity: Annotated[Identity, Depends(anyone)]) -> QuoteAnswer:
        books = await billing.view(identity.org_id)
        found = books.quote(low=body.low, high=body.high, max_cost_micros=body.max_cost_micros)
        return quote_of(books, found, {**body.low, **body.high})


def quote_of(books: Books, found: Quote, high: Mapping[str, int]) -> QuoteAnswer:
    cost = QuoteCost(
        low_micros=found.cost_low_micros, high_micros=found.cost_high_micros, limit_micros=found.cost_limit_micros
    )
    return QuoteAnswer(
        ok=found.ok,
        code=found.code,
        message=found.message,
        missing=found.missing,
        hold=found.hold,
        cost=cost,
        units=[_quote_unit(books, unit, quantity) for unit, quantity in high.items()],
        price_version=CURRENT.version,
    )


def _quote_unit(books: Books, unit: str, high: int) -> QuoteUnit:
    left = _balance(books, unit).available
    over = max(0, high - left) if left is not None else 0
    return QuoteUnit(unit=unit, included_left=left, overage=over, price_micros=CURRENT.micros.get(unit))


def balances_of(books: Books) -> Balances:
    return Balances(
        plan=books.account.plan,
        resets_at=_reset(books),
        balances={unit: _balance(books, unit) for unit in _units(books)},
    )


def quotas_of(books: Books) -> Quotas:
    return Quotas(plan=books.account.plan, quotas={unit: _quota(books, unit) for unit in _units(books)})


def _units(books: Books) -> Sequence[str]:
    return [*UNITS, *(unit for unit in books.ledger.units() if unit not in UNITS)]


def _reset(books: Books) -> datetime:
    return books.account.period_end or books.now


def _balance(books: Books, unit: str) -> Balance:
    ledger, limited = books.ledger, unit in LIMITED_UNITS
    return Balance(
        granted=-ledger.balance(unit, "granted") if limited else None,
        available=ledger.balance(unit, "available") if limited else None,
        held=ledger.balance(unit, "held"),
        used=ledger.balance(unit, "used"),
        over=-ledger.balance(unit, "overage"),
    )


def _quota(books: Books, unit: str) -> Quota:
    balance = _balance(books, unit)
    return Quota(
        limit=balance.granted,
        used=balance.used,
        held=balance.held,
        left=balance.available,
        resets_at=_reset(books),
    )


def _history_line(row: Any) -> HistoryLine:
    fields = dict(row._mapping)
    return HistoryLine(cost=Money(amount_micros=fields.pop("cost_micros")), **fields)


def _total(row: Any) -> UsageTotal:
    return UsageTotal(unit=row.unit, quantity=row.quantity, cost=Money(amount_micros=row.cost_micros))


def _aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
