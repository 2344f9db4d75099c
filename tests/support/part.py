"""A small service of chassis parts, run as a process that tests kill: notes each event and does a task for it.

`python -m tests.support.part SERVICE`, settings in the environment; `PART_HANGS=1` makes its tasks last for ever.
"""

import asyncio
import os
import sys

from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.http import create_app
from fenta.chassis.messages import Message, on
from fenta.chassis.service import open_service, run
from fenta.chassis.settings import Settings, load
from fenta.chassis.tasks import Lease, Task
from fenta.contracts.events import OrgCreated

NOTES = "CREATE TABLE IF NOT EXISTS note (what text NOT NULL, subject text NOT NULL)"
_NOTE = text("INSERT INTO note (what, subject) VALUES (:what, :subject)")


async def note(session: Session, what: str, subject: str) -> None:
    await session.execute(_NOTE, {"what": what, "subject": subject})


async def notes(database: Database, what: str) -> list[str]:
    """What was noted, in order."""
    async with database.transaction() as session:
        found = await session.scalars(text("SELECT subject FROM note WHERE what = :what ORDER BY ctid"), {"what": what})
    return list(found)


async def welcome(session: Session, message: Message[OrgCreated]) -> None:
    """An organisation is noted, and a task is stored for it."""
    await note(session, "handled", message.event.slug)
    task = Task(id=message.event.slug, kind="greet", org_id=message.event.org_id, lane="high")
    await tasks.add(session, [task])


class Greeter:
    """Notes that it began, and that it finished; or hangs in between."""

    def __init__(self, database: Database, *, hangs: bool) -> None:
        self._database = database
        self._endings = Endings(database)
        self._hangs = hangs

    async def perform(self, lease: Lease) -> None:
        async with self._database.transaction() as session:
            await note(session, "began", lease.id)
        if self._hangs:
            await asyncio.Event().wait()
        await self._endings.end(lease, self._note_end)

    async def _note_end(self, session: Session, lease: Lease) -> None:
        await note(session, "finished", lease.id)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        raise AssertionError(f"nobody gives up {lease.id}") from error

    async def cancelled(self, lease: Lease, reason: str) -> None:
        raise AssertionError(f"nobody cancels {lease.id}: {reason}")


async def main() -> None:
    async with open_service(sys.argv[1], load(Settings)) as service:
        greeter = Greeter(service.database, hangs=os.environ.get("PART_HANGS") == "1")
        service.consume([on(OrgCreated, welcome)])
        service.work(greeter, slots={"high": 4})
        await service.serve(create_app(sys.argv[1]))


if __name__ == "__main__":
    run(main)
