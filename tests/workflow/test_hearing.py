"""Billing's silence ends a job only if billing could have been heard."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.identity import Identity
from fenta.chassis.settings import StorageSettings
from fenta.chassis.storage import open_storage
from fenta.contracts.ids import new_id
from fenta.workflow.hearing import CATCH_UP_SECONDS, Hearing
from fenta.workflow.limits import ROOMS
from fenta.workflow.planning import Planner
from fenta.workflow.schemas import JobRequest
from fenta.workflow.service import WorkflowService
from tests.workflow.makers import brief

DatabaseOf = Callable[[str], Awaitable[Database]]


class Kafka:
    """There or not, at a time that the test sets."""

    def __init__(self) -> None:
        self.is_there = True
        self.seconds = 0.0

    async def reaches(self) -> bool:
        return self.is_there

    def hearing(self) -> Hearing:
        return Hearing(self.reaches, clock=lambda: self.seconds)


async def test_it_is_good_again_some_time_after_kafka_has_come_back() -> None:
    kafka = Kafka()
    hearing = kafka.hearing()
    assert not hearing.is_good, "it has just begun"
    kafka.seconds = CATCH_UP_SECONDS + 1
    assert hearing.is_good
    kafka.is_there = False
    await hearing.listen()
    assert not hearing.is_good
    kafka.is_there = True
    kafka.seconds += CATCH_UP_SECONDS / 2
    await hearing.listen()
    assert not hearing.is_good
    kafka.seconds += CATCH_UP_SECONDS
    assert hearing.is_good


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("workflow")


async def ask_long_ago(database: Database, service: WorkflowService) -> str:
    """A job that has waited for billing longer than anybody is patient."""
    identity = Identity(org_id=new_id("org"), user_id=new_id("user"), role="owner", scopes=("*",))
    job = await service.create_job(identity, JobRequest.model_validate(brief()))
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    async with database.transaction() as session:
        statement = text("UPDATE job SET created_at = :long_ago, wake_at = now()")
        await session.execute(statement, {"long_ago": long_ago})
    return job.id


async def status(database: Database, job_id: str) -> Any:
    async with database.transaction() as session:
        row = await session.execute(text("SELECT status, error->>'code' FROM job WHERE id = :id"), {"id": job_id})
        return tuple(row.one())


async def test_while_kafka_is_away_a_job_waits_for_billing_longer_than_ten_minutes(database: Database) -> None:
    kafka, room = Kafka(), ROOMS["pro"]
    async with open_storage(StorageSettings(), service="workflow") as storage:
        hearing = kafka.hearing()
        planner = Planner(room=room, publish_lossy=lambda event: None)
        service = WorkflowService(database=database, storage=storage, planner=planner, room=room, hearing=hearing)
        kafka.seconds, kafka.is_there = 1000, False
        await hearing.listen()
        job_id = await ask_long_ago(database, service)

        assert await service.wake_due() == 1
        assert await service.wake_due() == 0
        assert await status(database, job_id) == ("pending", None)

        kafka.seconds += CATCH_UP_SECONDS + 1
        async with database.transaction() as session:
            await session.execute(text("UPDATE job SET wake_at = now()"))
        assert await service.wake_due() == 1
        assert await status(database, job_id) == ("failed", "billing_unavailable")
