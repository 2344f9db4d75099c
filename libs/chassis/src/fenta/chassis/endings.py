"""Ends tasks together: those that end while the last ones are committed go into the next transaction."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session, is_away
from fenta.chassis.errors import LeaseLost
from fenta.chassis.outbox import OutboxRow, outbox_row
from fenta.chassis.tasks import Lease
from fenta.contracts.events import Event

# What an ending writes. It answers after how many seconds the task goes on, or None when it is finished; it may be
# called again after its transaction was rolled back.
Effects = Callable[[Session, Lease], Coroutine[Any, Any, float | None]]

_REMOVE = text("DELETE FROM task WHERE id = ANY(:ids)")
_LATER = text(
    "UPDATE task SET state = 2, owner = NULL, run_at = now() + make_interval(secs => "
    "(CAST(:pauses AS float[]))[array_position(CAST(:ids AS text[]), id)]) WHERE id = ANY(:ids)"
)


@dataclass(eq=False, slots=True)
class _Ending:
    """A lease on its way to its end; `done` is what its worker waits for."""

    lease: Lease
    rows: Sequence[OutboxRow] = ()
    pause: float | None = None
    effects: Effects | None = None
    order: str = ""
    context: Context | None = None
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def plain(self) -> bool:
        """Nothing but the end, and events that are written already."""
        return self.effects is None and self.pause is None

    async def write(self, session: Session) -> None:
        if self.effects:
            # In the worker's own context, whose trace its events carry on.
            work = self.effects(session, self.lease)
            self.pause = await asyncio.create_task(work, context=self.context)

    def settle(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class Endings:
    """How an executor ends its tasks. Who lost a lease hears `LeaseLost`, and nothing of its ending is written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Ending] = []
        self._writer: asyncio.Task[None] | None = None

    async def finish(self, lease: Lease, *events: Event) -> None:
        """Remove the task and tell these events, both or neither."""
        rows = [outbox_row(event, source=self._database.service) for event in events]
        await self._join(_Ending(lease, rows=rows))

    async def later(self, lease: Lease, seconds: float) -> None:
        """Give the task back until then."""
        await self._join(_Ending(lease, pause=seconds))

    async def end(self, lease: Lease, effects: Effects, *, order: str = "") -> None:
        """Write these effects, and finish the task or give it back, as they answer: all of it or nothing.

        `order` names what the effects lock and others may want too: all go through it in that order, so that no two
        processes wait for each other.
        """
        await self._join(_Ending(lease, effects=effects, order=order, context=copy_context()))

    def _join(self, ending: _Ending) -> "asyncio.Future[None]":
        self._waiting.append(ending)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return ending.done

    async def _write_all(self) -> None:
        while self._waiting:
            endings, self._waiting = self._waiting, []
            await self._settle([ending for ending in endings if not ending.done.cancelled()])

    async def _settle(self, endings: Sequence[_Ending]) -> None:
        """Together if they can; one by one when something in one of them fails."""
        try:
            lost = await self._write(endings)
        except Exception as error:
            if len(endings) == 1 or is_away(error):
                for ending in endings:
                    ending.settle(error)
            else:
                for ending in endings:
                    await self._settle([ending])
            return
        for ending in endings:
            if lost and ending.lease.key in lost:
                ending.settle(LeaseLost(f"task {ending.lease.id} is in other hands by now"))
            else:
                ending.lease.goes_on = ending.pause is not None
                ending.settle(None)

    async def _write(self, endings: Sequence[_Ending]) -> set[tuple[str, int]]:
        """The leases that were lost; the tasks of the others have ended now, with all their effects."""
        async with self._database.transaction() as session:
            lost = await _write_plain(session, [ending for ending in endings if ending.plain])
            lost |= await _write_others(session, [ending for ending in endings if not ending.plain])
            crash_point("ending.written")
        crash_point("ending.committed")
        return lost


async def _write_plain(session: Session, endings: Sequence[_Ending]) -> set[tuple[str, int]]:
    """Their removal is their fence."""
    lost = await tasks.finish(session, [ending.lease for ending in endings])
    session.events += [row for ending in _held(endings, lost) for row in ending.rows]
    return lost


async def _write_others(session: Session, endings: Sequence[_Ending]) -> set[tuple[str, int]]:
    """Behind the fence the effects say how each goes on."""
    lost = await tasks.lock(session, [ending.lease for ending in endings])
    ending_now = _held(endings, lost)
    for ending in sorted(ending_now, key=lambda ending: ending.order):
        await ending.write(session)
    await _remove(session, [ending.lease.id for ending in ending_now if ending.pause is None])
    await _later(session, {e.lease.id: e.pause for e in ending_now if e.pause is not None})
    return lost


def _held(endings: Sequence[_Ending], lost: set[tuple[str, int]]) -> Sequence[_Ending]:
    return [ending for ending in endings if ending.lease.key not in lost] if lost else endings


async def _remove(session: Session, ids: Sequence[str]) -> None:
    if ids:
        await session.execute(_REMOVE, {"ids": ids})


async def _later(session: Session, pauses: dict[str, float]) -> None:
    if pauses:
        await session.execute(_LATER, {"ids": list(pauses), "pauses": list(pauses.values())})
