"""Shapes of billing's answers and questions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fenta.billing.prices import CURRENCY
from fenta.chassis.moments import Moment
from fenta.chassis.paging import PageQuery

JobId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Money(BaseModel):
    amount_micros: int
    currency: str = CURRENCY


class Balance(BaseModel):
    """`granted` and `available` are null where the plan sets no limit; `over` is usage beyond the plan."""

    granted: int | None
    available: int | None
    held: int
    used: int
    over: int = 0


class Balances(BaseModel):
    plan: str
    resets_at: Moment
    balances: dict[str, Balance]


class HistoryQuery(PageQuery):
    job_id: JobId | None = None


class HistoryLine(BaseModel):
    """One movement: `hold` reserves, `capture` takes from the hold, `release` gives back, `grant` adds."""

    id: str
    created_at: Moment
    kind: str
    unit: str
    quantity: int
    job_id: str | None
    usage_id: str | None
    unit_price_micros: int
    cost: Money


class History(BaseModel):
    data: list[HistoryLine]
    next_cursor: str | None


class UsageQuery(BaseModel):
    since: datetime | None = Field(None, alias="from", description="default: the start of the running month")
    until: datetime | None = Field(None, alias="to", description="default: now")
    group_by: Literal["day", "resource"] | None = None


class UsageTotal(BaseModel):
    unit: str
    quantity: int
    cost: Money


class UsageGroup(UsageTotal):
    name: str = Field(description="the day, or the type of node that used it")


class Usage(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    since: Moment = Field(serialization_alias="from")
    until: Moment = Field(serialization_alias="to")
    totals: list[UsageTotal]
    cost: Money
    group_by: str | None
    data: list[UsageGroup]


class Quota(BaseModel):
    """`limit` and `left` are null where the plan sets no limit."""

    limit: int | None
    used: int
    held: int
    left: int | None
    resets_at: Moment
    overage_allowed: bool = False


class Quotas(BaseModel):
    plan: str
    quotas: dict[str, Quota]


Quantities = dict[str, Annotated[int, Field(ge=0, le=10**12)]]


class QuoteRequest(BaseModel):
    """What the gateway asks before a job is made; fields that billing does not need are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)

    low: Quantities
    high: Quantities
    max_cost_micros: int | None = Field(None, ge=0)


class QuoteCost(BaseModel):
    """Bounds of the price, and the most that the hold may cost."""

    low_micros: int
    high_micros: int
    limit_micros: int
    currency: str = CURRENCY


class QuoteUnit(BaseModel):
    """`included_left` is null where the plan sets no limit; `overage` is what the upper bound lacks of it."""

    unit: str
    included_left: int | None
    overage: int
    price_micros: int | None


class QuoteAnswer(BaseModel):
    """`hold` is what would be reserved; `code` and `missing` say what stands in the way."""

    ok: bool
    code: str | None
    message: str
    missing: dict[str, int]
    hold: dict[str, int]
    cost: QuoteCost
    units: list[QuoteUnit]
    price_version: str
