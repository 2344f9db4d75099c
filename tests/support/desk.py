"""An executor of tasks whose behaviour the test decides, and a pace at which what is forgotten is soon found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.workers import Pace
from tests.conftest import until
from tests.support.part import note

# Nothing is taken for forgotten because this machine is slow; a test of what is forgotten takes HASTY.
QUICK = Pace(lease_seconds=20.0, beat_seconds=0.05, grace_seconds=60.0, reclaim_seconds=0.05, measure_seconds=0.05)
HASTY = replace(QUICK, grace_seconds=0.2)


class Desk:
    """An executor that notes what happens to its tasks; `behave` says what performing one does."""

    def __init__(self, database: Database, behave: Callable[[Lease], Any] | None = None) -> None:
        self.database = database
        self.endings = Endings(database)
        self.behave = behave
        self.ended: list[tuple[str, str]] = []
        self.working: set[str] = set()

    async def perform(self, lease: Lease) -> None:
        assert lease.id not in self.working, "two workers perform one task"
        self.working.add(lease.id)
        try:
            if self.behave:
                await self.behave(lease)
            else:
                await self.end(lease, "done")
        finally:
            self.working.discard(lease.id)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        await self.end(lease, f"given up: {error}")

    async def cancelled(self, lease: Lease, reason: str) -> None:
        await self.end(lease, f"cancelled: {reason}")

    async def end(self, lease: Lease, how: str) -> None:
        async def effects(session: Session, lease: Lease) -> None:
            await note(session, how, lease.id)

        await self.endings.end(lease, effects)
        self.ended.append((lease.id, how))


async def add(database: Database, *given: Task) -> None:
    async with database.transaction() as session:
        await tasks.add(session, given)


def task(name: str, org_id: str = "org_1", **other: Any) -> Task:
    return Task(id=name, kind="k", org_id=org_id, lane="high", **other)


async def left(database: Database) -> list[Any]:
    async with database.engine.connect() as connection:
        return list((await connection.execute(text("SELECT * FROM task ORDER BY id"))).all())


async def all_ended(desk: Desk, count: int) -> list[tuple[str, str]]:
    async def enough() -> bool:
        return len(desk.ended) >= count

    await until(enough)
    return desk.ended
