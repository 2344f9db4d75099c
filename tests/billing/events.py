"""Events as billing gets them, with everything a test does not care about filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fenta.billing import handlers
from fenta.billing.service import BillingService
from fenta.chassis.database import Database
from fenta.chassis.testing import message_of
from fenta.contracts.events import (
    Event,
    HoldRequested,
    JobCancelled,
    JobCompleted,
    JobEstimate,
    JobRequested,
    OrgCreated,
    Range,
    Source,
    UsageRecorded,
)
from fenta.contracts.ids import new_id

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LOW = {"llm_tokens": 100, "kai_credits": 8, "tts_characters": 50, "render_seconds": 5}
HIGH = {"llm_tokens": 1000, "kai_credits": 20, "tts_characters": 200, "render_seconds": 10}


def org() -> str:
    return new_id("org")


def job() -> str:
    return new_id("job")


def created(org_id: str) -> OrgCreated:
    return OrgCreated(org_id=org_id, slug="ada", owner_user_id=new_id("user"))


def requested(
    org_id: str,
    job_id: str,
    *,
    low: dict[str, int] | None = None,
    high: dict[str, int] | None = None,
    max_cost_micros: int | None = None,
    expires_at: datetime = NOW + timedelta(days=8),
) -> JobRequested:
    return JobRequested(
        org_id=org_id,
        job_id=job_id,
        root_job_id=job_id,
        title="Why the night sky is dark",
        requested_by=new_id("user"),
        source=Source(kind="brief"),
        max_cost_micros=max_cost_micros,
        steps=Range(low=10, high=16),
        estimate=JobEstimate(
            low=LOW if low is None else low, high=HIGH if high is None else high, duration_ms=Range(low=1, high=2)
        ),
        requested_at=NOW,
        deadline_at=NOW + timedelta(hours=6),
        hold_expires_at=expires_at,
    )


def raised(
    org_id: str, job_id: str, revision: int, hold: dict[str, int], max_cost_micros: int | None = None
) -> HoldRequested:
    return HoldRequested(org_id=org_id, job_id=job_id, revision=revision, hold=hold, max_cost_micros=max_cost_micros)


def used(
    org_id: str,
    job_id: str | None,
    unit: str = "kai_credits",
    quantity: int = 4,
    *,
    usage_id: str | None = None,
    provider: str = "kie",
    node_type: str = "Input.KAI.GenerateImage",
) -> UsageRecorded:
    return UsageRecorded(
        org_id=org_id,
        job_id=job_id,
        usage_id=usage_id or new_id("usage"),
        node_type=node_type,
        unit=unit,
        quantity=quantity,
        occurred_at=NOW,
        detail={"provider": provider},
    )


def completed(org_id: str, job_id: str, usage_ids: Sequence[str] = ()) -> JobCompleted:
    return JobCompleted(
        org_id=org_id,
        job_id=job_id,
        source=Source(kind="brief"),
        usage_ids=list(usage_ids),
        ended_at=NOW,
        duration_ms=1000,
    )


def cancelled(org_id: str, job_id: str, usage_ids: Sequence[str] = ()) -> JobCancelled:
    return JobCancelled(
        org_id=org_id,
        job_id=job_id,
        source=Source(kind="brief"),
        usage_ids=list(usage_ids),
        ended_at=NOW,
        reason="user",
    )


async def deliver(database: Database, billing: BillingService, *events: Event) -> list[tuple[str, bytes]]:
    """One batch of events in one transaction, each under a fresh id; answers the topics and bodies it published."""
    (route,) = handlers.routes(billing)
    assert route.whole is not None
    async with database.transaction() as session:
        await route.whole(session, [message_of(event) for event in events])
    return [(row.topic, row.value) for row in session.events]
