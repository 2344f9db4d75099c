"""Ends many tasks in one transaction: those that finish while the last one commits go together in the next."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.errors import LeaseLost
from fenta.chassis.outbox import OutboxRow, outbox_row
from fenta.chassis.tasks import Lease
from fenta.contracts.events import Event

# By the primary key: a join with a list of leases makes Postgres read the whole table, dead rows and all.
_FINISH = text(
    "DELETE FROM task WHERE id = ANY(:ids) AND state = 1 AND owner = ANY(:owners) "
    "AND attempt = CAST(CAST(:tokens AS jsonb) ->> id AS integer) RETURNING id, attempt"
)


@dataclass(frozen=True)
class _Ending:
    lease: Lease
    rows: Sequence[OutboxRow]
    done: "asyncio.Future[None]"

    def settle(self, error: Exception | None) -> None:
        if self.done.cancelled():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class Endings:
    """For tasks whose whole effect is the events they tell."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Ending] = []
        self._writer: asyncio.Task[None] | None = None

    async def finish(self, lease: Lease, *events: Event) -> None:
        """Remove the task and tell its events, both or neither. Raises `LeaseLost` if somebody else has it by now."""
        # Here and not in the writer, which does not know the trace.
        rows = [outbox_row(event, source=self._database.service) for event in events]
        ending = _Ending(lease, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(ending)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await ending.done

    async def _write_all(self) -> None:
        while self._waiting:
            endings, self._waiting = self._waiting, []
            try:
                held = await self._write(endings)
            except Exception as error:
                for ending in endings:
                    ending.settle(error)
                continue
            for ending in endings:
                lease = ending.lease
                ending.settle(None if (lease.id, lease.token) in held else LeaseLost(f"task {lease.id} was taken over"))

    async def _write(self, endings: Sequence[_Ending]) -> set[tuple[str, int]]:
        """The leases that were still held, whose tasks are gone now and whose events are told."""
        leases = [ending.lease for ending in endings]
        columns = {
            "ids": [lease.id for lease in leases],
            "tokens": json.dumps({lease.id: lease.token for lease in leases}),
            "owners": list({lease.owner for lease in leases}),
        }
        async with self._database.transaction() as session:
            held = {(row.id, row.attempt) for row in await session.execute(_FINISH, columns)}
            for ending in endings:
                if (ending.lease.id, ending.lease.token) in held:
                    session.events += ending.rows
        return held
