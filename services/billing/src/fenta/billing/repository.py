"""Every SQL statement of billing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from fenta.billing.ledger import Balances, Ledger, Transaction
from fenta.billing.models import Account, Hold, UsageLine
from fenta.chassis.database import Session

_OPEN = text(
    "INSERT INTO account (org_id, plan, opened_at) SELECT org_id, :plan, :now "
    "FROM unnest(CAST(:org_ids AS text[])) AS given(org_id) ORDER BY org_id ON CONFLICT DO NOTHING"
)
_BALANCES = text("SELECT org_id, unit, account, amount FROM balance WHERE org_id = ANY(:org_ids)")
# The account's row is locked, so the new amount can be written as it is.
_STORE_BALANCES = text(
    "INSERT INTO balance (org_id, unit, account, amount) "
    "SELECT * FROM unnest(CAST(:org_id AS text[]), CAST(:unit AS text[]), CAST(:account AS text[]), "
    "CAST(:amount AS bigint[])) ON CONFLICT (org_id, unit, account) DO UPDATE SET amount = excluded.amount"
)
_POST = text(
    "INSERT INTO ledger_transaction "
    "(id, org_id, kind, unit, quantity, reference, job_id, usage_id, unit_price_micros, cost_micros, created_at) "
    "SELECT u.*, :now FROM unnest(CAST(:id AS text[]), CAST(:org_id AS text[]), CAST(:kind AS text[]), "
    "CAST(:unit AS text[]), CAST(:quantity AS bigint[]), CAST(:reference AS text[]), CAST(:job_id AS text[]), "
    "CAST(:usage_id AS text[]), CAST(:unit_price_micros AS bigint[]), CAST(:cost_micros AS bigint[])) AS u"
)
_POSTINGS = text(
    "INSERT INTO ledger_posting (transaction_id, org_id, unit, account, amount) SELECT * FROM "
    "unnest(CAST(:transaction_id AS text[]), CAST(:org_id AS text[]), CAST(:unit AS text[]), "
    "CAST(:account AS text[]), CAST(:amount AS bigint[]))"
)
_USAGE = text(
    "INSERT INTO usage_line (usage_id, org_id, project_id, job_id, step_id, node_type, unit, quantity, "
    "unit_price_micros, cost_micros, outcome, occurred_at, recorded_at, detail) "
    "SELECT u.usage_id, u.org_id, u.project_id, u.job_id, u.step_id, u.node_type, u.unit, u.quantity, "
    "u.unit_price_micros, u.cost_micros, u.outcome, u.occurred_at, u.recorded_at, u.detail::jsonb FROM "
    "unnest(CAST(:usage_id AS text[]), CAST(:org_id AS text[]), CAST(:project_id AS text[]), "
    "CAST(:job_id AS text[]), CAST(:step_id AS text[]), CAST(:node_type AS text[]), CAST(:unit AS text[]), "
    "CAST(:quantity AS bigint[]), CAST(:unit_price_micros AS bigint[]), CAST(:cost_micros AS bigint[]), "
    "CAST(:outcome AS text[]), CAST(:occurred_at AS timestamptz[]), CAST(:recorded_at AS timestamptz[]), "
    "CAST(:detail AS text[])) AS u(usage_id, org_id, project_id, job_id, step_id, node_type, unit, quantity, "
    "unit_price_micros, cost_micros, outcome, occurred_at, recorded_at, detail)"
)
_DUE = text(
    "SELECT job_id, org_id FROM hold WHERE (state = 'ending' AND release_at <= :now) "
    "OR (state = 'open' AND expires_at <= :now) ORDER BY org_id, job_id LIMIT :most"
)
# Numbers are given under the account's lock: within an organisation they rise in the order of commits.
_HISTORY = text(
    "SELECT number, id, created_at, kind, unit, quantity, job_id, usage_id, unit_price_micros, cost_micros "
    "FROM ledger_transaction WHERE (CAST(:job_id AS text) IS NULL OR job_id = :job_id) "
    "AND (CAST(:before AS bigint) IS NULL OR number < :before) ORDER BY number DESC LIMIT :most"
)
_USED = text(
    "SELECT unit, sum(quantity) AS quantity, sum(cost_micros) AS cost_micros FROM usage_line "
    "WHERE outcome <> 'ignored' AND occurred_at >= :since AND occurred_at < :until GROUP BY unit ORDER BY unit"
)
_USED_BY_DAY = text(
    "SELECT to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS name, unit, sum(quantity) AS quantity, "
    "sum(cost_micros) AS cost_micros FROM usage_line WHERE outcome <> 'ignored' AND occurred_at >= :since "
    "AND occurred_at < :until GROUP BY 1, 2 ORDER BY 1, 2"
)
_USED_BY_RESOURCE = text(
    "SELECT coalesce(node_type, 'other') AS name, unit, sum(quantity) AS quantity, "
    "sum(cost_micros) AS cost_micros FROM usage_line WHERE outcome <> 'ignored' AND occurred_at >= :since "
    "AND occurred_at < :until GROUP BY 1, 2 ORDER BY 1, 2"
)
_GROUPED = {"day": _USED_BY_DAY, "resource": _USED_BY_RESOURCE}
_OPEN_HOLDS = text(
    "SELECT count(*) AS holds, coalesce(extract(epoch FROM max(now() - created_at)), 0) AS oldest_seconds "
    "FROM hold WHERE state IN ('open', 'ending')"
)
_DRIFT = text(
    "SELECT count(*) FROM (SELECT org_id, unit, account, sum(amount) AS amount FROM ledger_posting "
    "GROUP BY org_id, unit, account) AS posted FULL JOIN balance USING (org_id, unit, account) "
    "WHERE coalesce(posted.amount, 0) <> coalesce(balance.amount, 0)"
)


@dataclass
class Scope:
    """What some events touch: organisations, their jobs, and lines of usage."""

    org_ids: set[str] = field(default_factory=set)
    job_ids: set[str] = field(default_factory=set)
    usage_ids: set[str] = field(default_factory=set)


@dataclass
class Found:
    """What is known of it."""

    accounts: Sequence[Account]
    balances: Mapping[str, Balances]
    holds: Sequence[Hold]
    usage: Sequence[UsageLine]


async def open_accounts(session: Session, org_ids: Iterable[str], *, plan: str, now: datetime) -> None:
    await session.execute(_OPEN, {"org_ids": sorted(org_ids), "plan": plan, "now": now})


async def lock(session: Session, scope: Scope) -> Found:
    """Read these books and keep others from changing them until the end of the transaction."""
    org_ids = sorted(scope.org_ids)
    accounts = select(Account).where(Account.org_id.in_(org_ids)).order_by(Account.org_id).with_for_update()
    return Found(
        accounts=(await session.scalars(accounts)).all(),
        balances=await balances(session, org_ids),
        holds=(await session.scalars(select(Hold).where(Hold.job_id.in_(scope.job_ids)))).all(),
        usage=(await session.scalars(select(UsageLine).where(UsageLine.usage_id.in_(scope.usage_ids)))).all(),
    )


async def balances(session: Session, org_ids: Sequence[str]) -> dict[str, Balances]:
    found: dict[str, Balances] = {org_id: {} for org_id in org_ids}
    for row in await session.execute(_BALANCES, {"org_ids": list(org_ids)}):
        found[row.org_id][row.unit, row.account] = row.amount
    return found


async def find_account(session: Session, org_id: str) -> Account | None:
    return await session.get(Account, org_id)


async def post(session: Session, ledgers: Mapping[str, Ledger], now: datetime) -> None:
    """Append what was posted and write the balances it makes."""
    posted = [(org_id, transaction) for org_id, ledger in ledgers.items() for transaction in ledger.posted]
    if not posted:
        return
    await session.execute(_POST, _transaction_columns(posted) | {"now": now})
    await session.execute(_POSTINGS, _posting_columns(posted))
    await session.execute(_STORE_BALANCES, _balance_columns(ledgers))


def _transaction_columns(posted: Sequence[tuple[str, Transaction]]) -> dict[str, Any]:
    rows = [transaction for _, transaction in posted]
    return {
        "id": [row.id for row in rows],
        "org_id": [org_id for org_id, _ in posted],
        "kind": [row.kind for row in rows],
        "unit": [row.unit for row in rows],
        "quantity": [row.quantity for row in rows],
        "reference": [row.cause.reference for row in rows],
        "job_id": [row.cause.job_id for row in rows],
        "usage_id": [row.cause.usage_id for row in rows],
        "unit_price_micros": [row.cause.unit_price_micros for row in rows],
        "cost_micros": [row.cost_micros for row in rows],
    }


def _posting_columns(posted: Sequence[tuple[str, Transaction]]) -> dict[str, list[Any]]:
    rows = [(row.id, org_id, row.unit, *posting) for org_id, row in posted for posting in row.postings.items()]
    return _columns(("transaction_id", "org_id", "unit", "account", "amount"), rows)


def _balance_columns(ledgers: Mapping[str, Ledger]) -> dict[str, list[Any]]:
    rows = [
        (org_id, *key, ledger.balances[key]) for org_id, ledger in ledgers.items() for key in sorted(ledger.changed)
    ]
    return _columns(("org_id", "unit", "account", "amount"), rows)


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


USAGE_COLUMNS = (
    "usage_id",
    "org_id",
    "project_id",
    "job_id",
    "step_id",
    "node_type",
    "unit",
    "quantity",
    "unit_price_micros",
    "cost_micros",
    "outcome",
    "occurred_at",
    "recorded_at",
)


async def add_usage(session: Session, lines: Sequence[UsageLine]) -> None:
    if lines:
        values = {name: [getattr(line, name) for line in lines] for name in USAGE_COLUMNS}
        await session.execute(_USAGE, values | {"detail": [json.dumps(line.detail) for line in lines]})


async def list_due(session: Session, now: datetime, *, most: int) -> Scope:
    """Holds that wait no longer; looked at without a lock, so look again under it."""
    rows = (await session.execute(_DUE, {"now": now, "most": most})).all()
    return Scope(org_ids={row.org_id for row in rows}, job_ids={row.job_id for row in rows})


async def list_transactions(session: Session, *, job_id: str | None, before: int | None, most: int) -> Sequence[Any]:
    return (await session.execute(_HISTORY, {"job_id": job_id, "before": before, "most": most})).all()


async def list_usage(session: Session, *, since: datetime, until: datetime) -> Sequence[Any]:
    return (await session.execute(_USED, {"since": since, "until": until})).all()


async def list_usage_groups(session: Session, group_by: str, *, since: datetime, until: datetime) -> Sequence[Any]:
    return (await session.execute(_GROUPED[group_by], {"since": since, "until": until})).all()


async def open_holds(session: Session) -> tuple[int, float]:
    """How many there are, and the age of the oldest in seconds."""
    row = (await session.execute(_OPEN_HOLDS)).one()
    return row.holds, float(row.oldest_seconds)


async def count_drift(session: Session) -> int:
    """Balances that are not the sum of their postings; there must be none."""
    return int(await session.scalar(_DRIFT) or 0)
