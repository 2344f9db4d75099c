"""Workers take tasks from their lanes, keep their leases alive, and give back what they cannot finish."""

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sqlalchemy import text

from fenta.chassis import names, tasks, telemetry
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session, is_passing
from fenta.chassis.errors import LeaseLost, PermanentError, TransientError, Unavailable
from fenta.chassis.intervals import repeat
from fenta.chassis.tasks import Lease, Task
from fenta.chassis.telemetry import log

MOST_FAILURES = 5
IDLE_SECONDS = 1.0
SWEEP_SECONDS = 1.0
PRIORITIES = (tasks.CANCELLED, *tasks.PRIORITIES.values())


@dataclass(frozen=True)
class Pace:
    """How long a silent worker keeps its tasks, how often it says that it lives, when a forgotten lease is freed.

    And how often it looks for forgotten leases, and counts what waits: both read the whole table.
    """

    lease_seconds: float = 20.0
    beat_seconds: float = 1.0
    grace_seconds: float = 5.0
    reclaim_seconds: float = 3.0
    measure_seconds: float = 15.0


class Executor(Protocol):
    """What a service does with its tasks."""

    async def perform(self, lease: Lease) -> None:
        """Do the work and end the lease by `Endings`: finish it or give it back, together with the effects.

        `TransientError` gives the task back for one of five tries, `Unavailable` for another one in any case, any
        other error gives it up.
        """

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Answer for a task that failed for good, and finish the lease."""

    async def cancelled(self, lease: Lease, reason: str) -> None:
        """Answer for a task that was told to stop, and finish the lease. The work has ended already."""


# What it returns begins as a lease does. Each priority is read from where its last claim began: what lies before is
# mostly rows that are gone, which an old snapshot may keep in the index for hours.
_CLAIM = text(
    """
    WITH taken AS (
        UPDATE task SET state = 1, owner = :owner, attempt = attempt + 1, leased_at = now()
        WHERE id = ANY(ARRAY(
            SELECT next.id FROM unnest(CAST(:priorities AS smallint[]), CAST(:lows AS bigint[])) AS p(priority, low),
            LATERAL (
                SELECT id FROM task WHERE lane = :lane AND task.priority = p.priority AND vt >= p.low
                AND state IN (0, 2) AND (state = 0 OR run_at <= now())
                ORDER BY vt, id LIMIT :slots FOR UPDATE SKIP LOCKED
            ) AS next LIMIT :slots))
        RETURNING id, kind, org_id, lane, job_id, payload, attempt, failures, traceparent, cancel_reason, priority, vt
    )
    SELECT * FROM taken ORDER BY priority, vt, id
    """
)
_MARK = text(
    "INSERT INTO task_mark (lane, vt) SELECT * FROM unnest(CAST(:lanes AS text[]), CAST(:marks AS bigint[])) "
    "ON CONFLICT (lane) DO UPDATE SET vt = excluded.vt WHERE task_mark.vt < excluded.vt"
)
_NEXT = text("SELECT extract(epoch FROM min(run_at) - now()) FROM task WHERE state = 2 AND lane = ANY(:lanes)")
# Tasks of workers that fell silent, and of earlier lives of workers that came back, are free again.
_REAP = text(
    "UPDATE task SET state = 0, owner = NULL WHERE state = 1 AND NOT EXISTS "
    "(SELECT 1 FROM worker w WHERE w.owner = task.owner AND w.lease_until > now()) RETURNING id"
)
_HELD = text("SELECT id, attempt, owner, state, cancel_reason FROM task WHERE id = ANY(:ids)")
# Leases whose work ended without ending them, since the database was away or the executor broke: another try follows.
_FREE = text(
    "UPDATE task SET state = 2, owner = NULL, failures = failures + 1, "
    "run_at = now() + make_interval(secs => least(120, power(2, failures))) "
    "WHERE state = 1 AND owner = :owner AND NOT id = ANY(:ids) "
    "AND leased_at < now() - make_interval(secs => :grace) RETURNING id"
)


# As the index of what may be claimed has them.
_WAITING = text(
    "SELECT lane, count(*) AS waiting FROM task WHERE state IN (0, 2) AND (state = 0 OR run_at <= now()) GROUP BY lane"
)


@dataclass(eq=False, slots=True)
class _Work:
    """A task in hand; `reason` is why it was told to stop."""

    lease: Lease
    reason: str | None
    running: asyncio.Task[None] | None = None

    def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()


class Workers:
    """The slots of this process, by lane. One row per process is kept alive, not one per task."""

    def __init__(
        self,
        *,
        database: Database,
        executor: Executor,
        instance_id: str,
        service: str,
        slots: Mapping[str, int],
        on_fatal: Callable[[str], None],
        pace: Pace = Pace(),
    ) -> None:
        self._pace = pace
        self._database = database
        self._executor = executor
        self._instance = instance_id
        self._service = service
        self._on_fatal = on_fatal
        self._slots = dict(slots)
        self.owner = f"{instance_id}/{uuid.uuid4()}"
        self._held: set[_Work] = set()
        # Slots in use or promised to tasks whose transaction is under way; whether somebody may wait for one; how far
        # the virtual time of each lane has come here.
        self._busy: Counter[str] = Counter()
        self._crowded = dict.fromkeys(slots, True)
        self._marks: dict[str, int] = {}
        # Where the last claim of a lane and priority began. A new one begins from the start again: a claim under way
        # still writes into the old one.
        self._lows: dict[tuple[str, int], int] = {}
        self._swept = time.monotonic()
        self._present = False
        self._awake = asyncio.Event()
        for lane, count in slots.items():
            telemetry.slot_tasks.labels(service, lane).set(count)

    def wake(self) -> None:
        self._awake.set()

    def _look_again(self) -> None:
        """Some task waits whose turn was earlier than where the last claims began."""
        self._lows = {}
        self.wake()

    async def add(self, session: Session, given: Sequence[Task]) -> None:
        """Store tasks in the caller's transaction; one that is there already stays as it is.

        Where nobody waits in a lane and they all find a free slot, they are leased to us from the start and begin when
        the transaction has committed: that saves the claim. Otherwise they wait for their turn.
        """
        promised = self._promise(given)
        ours = [task for task in given if task.lane in promised]
        session.after_rollback(partial(self._take_back, promised))
        known = await tasks.insert(session, ours, owner=self.owner, marks=self._marks)
        leases = [tasks.first_lease(task, self.owner) for task in ours if task.id not in known]
        session.after_commit(partial(self._begin, promised, leases))
        if leases:
            crash_point("task.claimed")
        if len(ours) < len(given):
            waiting = [task for task in given if task.lane not in promised]
            await tasks.insert(session, waiting, owner=None, marks=self._marks)
            session.after_commit(self.wake)

    def _promise(self, given: Sequence[Task]) -> "Counter[str]":
        """So many slots of these lanes; a lane whose tasks do not all fit goes by turns."""
        wanted = Counter(task.lane for task in given)
        for lane, count in list(wanted.items()):
            if not self._present or self._crowded.get(lane, True) or count > self._free(lane):
                self._crowded[lane] = True
                del wanted[lane]
        self._busy.update(wanted)
        return wanted

    def _take_back(self, promised: "Counter[str]") -> None:
        self._busy.subtract(promised)

    def _begin(self, promised: "Counter[str]", leases: Sequence[Lease]) -> None:
        """What commits after we have left is free with our name: the next to look takes it."""
        self._take_back(promised)
        for lease in leases if self._present else ():
            self._start(lease)

    async def cancel(self, session: Session, job_id: str, ids: Sequence[str] | None, reason: str) -> set[str]:
        """Ask these tasks of a job to stop, or all; answers those that are there. Their workers answer for them."""
        asked = await tasks.cancel(session, job_id, ids, reason)
        if asked:
            session.after_commit(self._look_again)
        return asked

    async def run(self) -> None:
        """Work until cancelled; then give back what is in hand."""
        try:
            await self._arrive()
            self._present = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._beat())
                group.create_task(self._take())
                group.create_task(repeat("leases", self._reclaim, every_seconds=self._pace.reclaim_seconds))
                group.create_task(repeat("tasks", self._measure, every_seconds=self._pace.measure_seconds))
        finally:
            await self._leave()

    async def _arrive(self) -> None:
        await self._patiently(self._register)

    async def _register(self) -> None:
        async with self._database.transaction() as session:
            await names.take(session, self._instance, self.owner, lease_seconds=self._pace.lease_seconds)
            freed = (await session.scalars(_REAP)).all()
        if freed:
            log.info("tasks.reclaimed", count=len(freed))

    async def _patiently(self, action: Any) -> Any:
        """Repeat an action for as long as the database is away."""
        while True:
            try:
                return await action()
            except Exception as error:
                log.warning("workers.waiting", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(1)

    async def _take(self) -> None:
        while True:
            self._awake.clear()
            self._sweep()
            taken = [await self._patiently(lambda lane=lane: self._claim(lane)) for lane in self._slots]
            if not any(taken):
                await self._rest()

    def _sweep(self) -> None:
        """Now and then from the beginning, for what other processes have put there."""
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._lows = {}

    async def _rest(self) -> None:
        pause = await self._patiently(self._until_next)
        with contextlib.suppress(TimeoutError):
            # `wait_for` would lose a cancellation that comes together with the wake-up.
            async with asyncio.timeout(pause):
                await self._awake.wait()
        self._lows = {}

    async def _until_next(self) -> float:
        free = [lane for lane in self._slots if self._free(lane)]
        async with self._database.transaction() as session:
            seconds = await session.scalar(_NEXT, {"lanes": free})
        return IDLE_SECONDS if seconds is None else min(max(float(seconds), 0.005), IDLE_SECONDS)

    def _free(self, lane: str) -> int:
        return self._slots[lane] - self._busy[lane]

    async def _claim(self, lane: str) -> int:
        slots = self._free(lane)
        if slots <= 0:
            self._crowded[lane] = True
            return 0
        if not self._crowded[lane]:
            # Mostly there is nothing, and what is stored meanwhile shall find a slot.
            slots = (slots + 1) // 2
        lows = self._lows
        # Nobody else may be promised a slot for which we look for a task.
        self._busy[lane] += slots
        try:
            rows = await self._claimed(lane, slots, [lows.get((lane, priority), 0) for priority in PRIORITIES])
        finally:
            self._busy[lane] -= slots
        self._crowded[lane] = len(rows) == slots
        for row in rows:
            lease: tuple[Any, ...] = (*row[:9], self.owner)
            self._start(Lease(*lease), row.cancel_reason)
        # What is cancelled comes before its turn.
        self._marks[lane] = max([self._marks.get(lane, 0), *(row.vt for row in rows if row.cancel_reason is None)])
        lows.update({(lane, row.priority): row.vt for row in reversed(rows)})
        return len(rows)

    async def _claimed(self, lane: str, slots: int, lows: Sequence[int]) -> Sequence[Any]:
        async with self._database.transaction() as session:
            where = {"lane": lane, "slots": slots, "owner": self.owner, "priorities": PRIORITIES, "lows": lows}
            rows = (await session.execute(_CLAIM, where)).all()
            if rows:
                crash_point("task.claimed")
        return rows

    def _start(self, lease: Lease, reason: str | None = None) -> None:
        work = _Work(lease, reason)
        self._held.add(work)
        self._busy[lease.lane] += 1
        work.running = asyncio.create_task(self._work(work))

    async def _work(self, work: _Work) -> None:
        crash_point("task.leased")
        lease, outcome = work.lease, "lost"
        telemetry.begin_trace(lease.traceparent, org_id=lease.org_id, job_id=lease.job_id, task_id=lease.id)
        try:
            outcome = await self._perform(work)
        except LeaseLost:
            telemetry.leases_lost.labels(self._service, lease.lane).inc()
            log.warning("lease.lost", token=lease.token)
        except asyncio.CancelledError:
            outcome = "interrupted"
            raise
        except Exception:
            outcome = "broken"
            log.exception("task.broken")
        finally:
            self._held.remove(work)
            self._busy[lease.lane] -= 1
            telemetry.of(telemetry.task_tries, self._service, lease.lane, outcome).inc()
            if lease.goes_on:
                self._look_again()
            elif self._crowded[lease.lane]:
                self.wake()

    async def _perform(self, work: _Work) -> str:
        if work.reason is not None:
            return await self._cancelled(work.lease, work.reason)
        try:
            await self._executor.perform(work.lease)
            return "done"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if work.reason is None or task is None:
                raise
            task.uncancel()
            return await self._cancelled(work.lease, work.reason)
        except LeaseLost:
            raise
        except Exception as error:
            return await self._failed(work.lease, error)

    async def _cancelled(self, lease: Lease, reason: str) -> str:
        await self._executor.cancelled(lease, reason)
        return "cancelled"

    async def _failed(self, lease: Lease, error: Exception) -> str:
        if is_passing(error):
            # Not the task's fault, and nothing could be written now: the beat frees the lease.
            log.warning("task.interrupted", error=f"{type(error).__name__}: {error}")
            return "interrupted"
        counts = not isinstance(error, Unavailable)
        if isinstance(error, TransientError) and (not counts or lease.failures + 1 < MOST_FAILURES):
            pause = error.retry_after_seconds or random.uniform(0, min(120, 2 * 2**lease.failures))  # noqa: S311
            log.warning("task.retried", error=f"{type(error).__name__}: {error}", pause_seconds=round(pause, 1))
            async with self._database.transaction() as session:
                await lease.failed(session, pause, f"{type(error).__name__}: {error}", counts=counts)
            return "retried"
        if not isinstance(error, PermanentError):
            log.error("task.failed", error=f"{type(error).__name__}: {error}", exc_info=error)
        await self._executor.give_up(lease, error)
        return "failed"

    async def _beat(self) -> None:
        ours = True
        while ours:
            await asyncio.sleep(self._pace.beat_seconds)
            ours = await self._patiently(self._keep_leases)

    async def _keep_leases(self) -> bool:
        """Say that we live, and stop what was cancelled or lost.

        False when another process goes by our name by now.
        """
        ids = [work.lease.id for work in self._held]
        async with self._database.transaction() as session:
            if not await names.keep(session, self._instance, self.owner, lease_seconds=self._pace.lease_seconds):
                self._on_fatal(f"another process took over the tasks of instance {self._instance}")
                return False
            await self._write_marks(session)
            rows = {row.id: row for row in await session.execute(_HELD, {"ids": ids})} if ids else {}
        for work in list(self._held):
            self._compare(work, rows.get(work.lease.id))
        return True

    async def _reclaim(self) -> None:
        """Take back what silent workers hold, and what nobody here works on any more."""
        mine = {"ids": [work.lease.id for work in self._held], "grace": self._pace.grace_seconds}
        async with self._database.transaction() as session:
            freed = [*await session.scalars(_REAP), *await session.scalars(_FREE, mine | {"owner": self.owner})]
        if freed:
            log.info("tasks.freed", count=len(freed))
            self._look_again()

    def _compare(self, work: _Work, row: Any) -> None:
        if row is None:
            # It has just ended; or somebody else ended it, and then the fence refuses what this work writes.
            return
        lost = row.owner not in (self.owner, None) or (row.state == 0 and row.attempt == work.lease.token)
        if lost:
            work.stop()
        elif row.cancel_reason and work.reason is None and row.attempt == work.lease.token:
            work.reason = row.cancel_reason
            work.stop()

    async def _write_marks(self, session: Session) -> None:
        """For the other processes, and for the next life of this one."""
        if self._marks:
            await session.execute(_MARK, {"lanes": list(self._marks), "marks": list(self._marks.values())})

    async def _measure(self) -> None:
        async with self._database.transaction() as session:
            waiting = {row.lane: row.waiting for row in await session.execute(_WAITING)}
        for lane in self._slots:
            telemetry.waiting_tasks.labels(self._service, lane).set(waiting.get(lane, 0))
            telemetry.running_tasks.labels(self._service, lane).set(self._slots[lane] - self._free(lane))

    async def _leave(self) -> None:
        """Stop what is in hand and let others have it at once."""
        self._present = False
        work = list(self._held)
        for one in work:
            one.stop()
        await asyncio.gather(*(one.running for one in work if one.running), return_exceptions=True)
        with contextlib.suppress(Exception):
            async with self._database.transaction() as session:
                await self._write_marks(session)
                await session.execute(text("DELETE FROM worker WHERE owner = :owner"), {"owner": self.owner})
                await session.execute(_REAP)
