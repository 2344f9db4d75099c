"""Every SQL statement of generation."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from fenta.chassis.database import Session
from fenta.generation.models import Cancellation, MadeDocument, ProviderTask


async def add_task(session: Session, task: ProviderTask) -> bool:
    """False when the step was asked for before."""
    if await session.get(ProviderTask, task.step_id) is not None:
        return False
    session.add(task)
    await session.flush()
    return True


async def get_task_for_update(session: Session, step_id: str) -> ProviderTask:
    """Raises NoResultFound for a step nobody asked for."""
    statement = select(ProviderTask).where(ProviderTask.step_id == step_id).with_for_update()
    return (await session.scalars(statement)).one()


async def known_steps(session: Session, step_ids: Sequence[str]) -> set[str]:
    statement = select(ProviderTask.step_id).where(ProviderTask.step_id.in_(step_ids))
    return set(await session.scalars(statement))


async def find_cancellation(session: Session, job_id: str, step_id: str) -> Cancellation | None:
    statement = select(Cancellation).where(Cancellation.job_id == job_id, Cancellation.step_id.in_(["", step_id]))
    return (await session.scalars(statement)).first()


async def add_cancellation(
    session: Session, *, org_id: str, job_id: str, step_id: str, reason: str, now: datetime
) -> None:
    values = {"job_id": job_id, "step_id": step_id, "org_id": org_id, "reason": reason, "created_at": now}
    await session.execute(insert(Cancellation).values(values).on_conflict_do_nothing())


async def add_document(session: Session, *, asset_id: str, org_id: str, sha256: str) -> None:
    values = {"asset_id": asset_id, "org_id": org_id, "sha256": sha256}
    await session.execute(insert(MadeDocument).values(values).on_conflict_do_nothing())


async def find_document(session: Session, org_id: str, asset_id: str) -> str | None:
    """The hash of a document that was made here for this organisation."""
    statement = select(MadeDocument.sha256).where(MadeDocument.asset_id == asset_id, MadeDocument.org_id == org_id)
    return await session.scalar(statement)


async def count_open(session: Session) -> dict[tuple[str, str], int]:
    """Tasks that have not ended, by provider and state."""
    open_states = ("accepted", "submitting", "unclear", "submitted", "fetched")
    statement = (
        select(ProviderTask.provider, ProviderTask.state, func.count())
        .where(ProviderTask.state.in_(open_states))
        .group_by(ProviderTask.provider, ProviderTask.state)
    )
    return {(provider or "none", state): count for provider, state, count in await session.execute(statement)}
