"""Every SQL statement of the workflow service."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import selectinload

from fenta.chassis.database import Session
from fenta.chassis.errors import NotFound
from fenta.workflow.models import Job, Result, Step
from fenta.workflow.plan import Remember

OPEN = Job.ended_at.is_(None)
RUNNING = ("running", "cancelling", "failing")


class JobRepository:
    """Jobs with their steps."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def serialise(self, job_id: str) -> None:
        """Whoever else makes a job of this id waits until this transaction has ended."""
        await self._session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:id))"), {"id": job_id})

    async def find(self, job_id: str) -> Job | None:
        statement = select(Job).where(Job.id == job_id, Job.deleted_at.is_(None)).options(selectinload(Job.steps))
        return (await self._session.scalars(statement)).one_or_none()

    async def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        job = await self.find(job_id)
        if job is None:
            raise NotFound("job")
        return job

    async def lock(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """The jobs by id, locked in one order, so that two batches never wait for each other."""
        locked = select(Job).where(Job.id.in_(job_ids)).order_by(Job.id).with_for_update()
        jobs = (await self._session.scalars(locked.options(selectinload(Job.steps)))).all()
        return {job.id: job for job in jobs}

    async def get_for_update(self, job_id: str) -> Job:
        """Raises NotFound."""
        job = (await self.lock([job_id])).get(job_id)
        if job is None or job.deleted_at:
            raise NotFound("job")
        return job

    async def list(
        self, *, statuses: Sequence[str], kind: str | None, root: str | None, after: str | None, limit: int
    ) -> Sequence[Job]:
        """Newest first; ids are in the order of time."""
        statement = select(Job).where(Job.deleted_at.is_(None)).options(selectinload(Job.steps))
        if statuses:
            statement = statement.where(Job.status.in_(statuses))
        if kind:
            statement = statement.where(Job.kind == kind)
        if root:
            statement = statement.where(Job.root_job_id == root)
        if after:
            statement = statement.where(Job.id < after)
        return (await self._session.scalars(statement.order_by(Job.id.desc()).limit(limit))).all()

    async def lock_due(self, now: datetime, limit: int) -> Sequence[Job]:
        """Jobs whose time has come and that nobody else is looking at."""
        due = select(Job).where(Job.wake_at <= now).order_by(Job.wake_at).limit(limit).with_for_update(skip_locked=True)
        return (await self._session.scalars(due.options(selectinload(Job.steps)))).all()

    async def wake_oldest(self, org_id: str, now: datetime) -> None:
        """Room has become free: look at the organisation's oldest job that may be waiting for it."""
        oldest = select(Job.id).where(Job.org_id == org_id, OPEN, Job.status.in_(("queued", "running")))
        oldest = oldest.order_by(Job.created_at).limit(2).with_for_update(skip_locked=True)
        await self._session.execute(update(Job).where(Job.id.in_(oldest.scalar_subquery())).values(wake_at=now))

    async def running(self, org_id: str) -> int:
        counted = select(func.count()).where(Job.org_id == org_id, OPEN, Job.status.in_(RUNNING))
        return await self._session.scalar(counted) or 0

    async def open_jobs(self, org_id: str) -> int:
        return await self._session.scalar(select(func.count()).where(Job.org_id == org_id, OPEN)) or 0

    async def steps_in_flight(self, org_id: str) -> int:
        flying = select(func.count()).where(Step.org_id == org_id, Step.status.in_(("queued", "running")))
        return await self._session.scalar(flying) or 0

    async def by_status(self) -> dict[str, int]:
        rows = await self._session.execute(select(Job.status, func.count()).where(OPEN).group_by(Job.status))
        return {str(row[0]): int(row[1]) for row in rows}

    async def find_asset(self, asset_id: str) -> dict[str, Any] | None:
        """An asset that one of the organisation's own steps made."""
        found = text(
            "SELECT asset FROM step, jsonb_array_elements(assets) AS asset "
            "WHERE step.assets @> jsonb_build_array(jsonb_build_object('asset_id', CAST(:asset_id AS text))) "
            "AND asset ->> 'asset_id' = :asset_id LIMIT 1"
        )
        asset: dict[str, Any] | None = await self._session.scalar(found, {"asset_id": asset_id})
        return asset


class ResultRepository:
    """What fingerprints gave."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def remember(self, job: Job, command: Remember) -> None:
        """The first result of a fingerprint stays."""
        family = "" if command.reusable == "org" else job.root_job_id
        await self._session.execute(
            insert(Result)
            .values(
                org_id=job.org_id,
                fingerprint=command.fingerprint,
                root_job_id=family,
                reusable=command.reusable,
                step_id=command.step_id,
                outputs=command.outputs,
                assets=command.assets,
            )
            .on_conflict_do_nothing()
        )

    async def look_up(self, job: Job, fingerprints: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """What these fingerprints gave before to the organisation or the family; None where nothing is known."""
        statement = select(Result).where(
            Result.org_id == job.org_id,
            Result.fingerprint.in_(fingerprints),
            Result.root_job_id.in_(("", job.root_job_id)),
        )
        found: dict[str, dict[str, Any] | None] = dict.fromkeys(fingerprints)
        for row in await self._session.scalars(statement):
            found[row.fingerprint] = {"step_id": row.step_id, "outputs": row.outputs, "assets": row.assets}
        return found
