"""Leased tasks: long work as rows that workers take in turn, by priority and fairly between organisations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from pydantic_core import from_json, to_json
from sqlalchemy import text

from fenta.chassis.columns import joined, spelt_out
from fenta.chassis.database import Session
from fenta.chassis.errors import LeaseLost
from fenta.chassis.telemetry import traceparent

PRIORITIES = {"interactive": 0, "default": 1, "batch": 2}
CANCELLED = -1
VIRTUAL_SECOND = 1000


class Task(NamedTuple):
    """Work to be done once. `weight` is the organisation's share, `expected_seconds` what one task takes of it."""

    id: str
    kind: str
    org_id: str
    lane: str
    job_id: str | None = None
    priority: Literal["interactive", "default", "batch"] = "default"
    weight: int = 1
    expected_seconds: int = 1
    payload: Mapping[str, Any] = {}

    @property
    def cost(self) -> int:
        """By which it moves its organisation's virtual time on."""
        return max(1, self.expected_seconds * VIRTUAL_SECOND // self.weight)


class Queue(Protocol):
    """Where use cases put work: the workers of this process, or this module where nobody works."""

    async def add(self, session: Session, given: Sequence[Task]) -> object:
        """Store tasks in the caller's transaction; one that is there already stays as it is."""

    async def cancel(self, session: Session, job_id: str, ids: Sequence[str] | None, reason: str) -> set[str]:
        """Ask these tasks of a job to stop, or all; answers those that are there. Their workers answer for them."""


@dataclass(slots=True, eq=False)
class Lease:
    """A task in the hands of one worker. `token` rises with each hand-over and fences out earlier holders.

    `goes_on` is set when it was given back: the task is not over with this lease.
    """

    id: str
    kind: str
    org_id: str
    lane: str
    job_id: str | None
    payload: dict[str, Any]
    token: int
    failures: int
    traceparent: str | None
    owner: str
    goes_on: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """One hand-over of one task."""
        return self.id, self.token

    async def failed(self, session: Session, seconds: float, error: str, *, counts: bool = True) -> None:
        """Give the task back after a failure. Raises `LeaseLost`."""
        await self.hold(session)
        values = {"id": self.id, "seconds": seconds, "error": error[:2000], "count": int(counts)}
        await session.execute(_FAILED, values)
        self.goes_on = True

    async def hold(self, session: Session) -> None:
        """Lock the task for this transaction. Raises `LeaseLost`; use it before writing half-way results."""
        if await lock(session, [self]):
            raise LeaseLost(f"task {self.id} is no longer in the hands of {self.owner}")


_LOCK = spelt_out(
    "SELECT id, attempt FROM task WHERE id = ANY(COLUMN($1, text)) AND state = 1 AND owner = ANY(COLUMN($2, text)) "
    "ORDER BY id FOR UPDATE"
)
# One row comes back: the ids only where some were not there any more.
_FINISH = spelt_out("""
    WITH ended AS (
        DELETE FROM task WHERE id = ANY(COLUMN($1, text)) AND state = 1 AND attempt = $2 AND owner = $3 RETURNING id
    )
    SELECT count(*), CASE WHEN count(*) < $4 THEN (SELECT array_agg(id) FROM ended) END FROM ended
""")
_FAILED = text(
    "UPDATE task SET state = 2, owner = NULL, failures = failures + :count, error = :error, "
    "run_at = now() + make_interval(secs => CAST(:seconds AS float)) WHERE id = :id"
)


async def lock(session: Session, leases: Sequence[Lease]) -> set[tuple[str, int]]:
    """Lock these tasks for the transaction; answers the keys of the leases that are lost. This is the fence."""
    if not leases:
        return set()
    driver = await session.driver()
    rows = await driver.fetch(_LOCK, joined(lease.id for lease in leases), joined({lease.owner for lease in leases}))
    return {lease.key for lease in leases} - {tuple(row) for row in rows}


async def finish(session: Session, leases: Sequence[Lease]) -> set[tuple[str, int]]:
    """Remove the tasks of the leases that still hold, and answer the keys of the lost ones: fence and end in one."""
    if not leases:
        return set()
    groups: dict[tuple[int, str], list[str]] = defaultdict(list)
    for lease in leases:
        groups[lease.token, lease.owner].append(lease.id)
    lost: set[tuple[str, int]] = set()
    driver = await session.driver()
    for (token, owner), ids in groups.items():
        count, ended = await driver.fetchrow(_FINISH, joined(ids), token, owner, len(ids))
        if count < len(ids):
            lost.update((name, token) for name in set(ids).difference(ended or ()))
    return lost


# A task's virtual time is where its organisation stands in the queue: each task moves it on by its share, and
# nobody starts behind the mark, the virtual time of what was taken last. So a crowd of one delays others by one.
_ADD = spelt_out("""
    WITH line AS (
        SELECT k.lane, greatest(m.vt, k.vt) AS vt
        FROM unnest(COLUMN($1, text), COLUMN($2, bigint)) AS k(lane, vt) LEFT JOIN task_mark m USING (lane)
    ), clock AS (
        INSERT INTO task_clock (org_id, lane, vt)
        SELECT s.org_id, s.lane, l.vt + s.cost
        FROM unnest(COLUMN($3, text), COLUMN($4, text), COLUMN($5, bigint)) AS s(org_id, lane, cost)
        JOIN line l USING (lane)
        ORDER BY s.org_id, s.lane
        ON CONFLICT (org_id, lane) DO UPDATE
        SET vt = greatest(excluded.vt, task_clock.vt
            + excluded.vt - (SELECT l.vt FROM line l WHERE l.lane = excluded.lane))
        RETURNING org_id, lane, vt
    ), added AS (
        INSERT INTO task (id, kind, org_id, lane, job_id, priority, vt, payload, traceparent,
            state, attempt, owner, leased_at)
        SELECT g.id, g.kind, g.org_id, g.lane, g.job_id, g.priority, c.vt - g.behind, g.payload::jsonb, $14,
            CAST($15 AS integer), CAST($15 AS integer), CAST($16 AS text),
            CASE WHEN CAST($15 AS integer) = 1 THEN now() END
        FROM unnest(COLUMN($6, text), COLUMN($7, text), COLUMN($8, text), COLUMN($9, text), COLUMN($10, text),
            COLUMN($11, smallint), COLUMN($12, bigint), COLUMN($13, text))
            AS g(id, kind, org_id, lane, job_id, priority, behind, payload)
        JOIN clock c USING (org_id, lane)
        ON CONFLICT (id) DO NOTHING
        RETURNING id, lane, vt
    )
    SELECT lane, max(vt) AS vt,
        CASE WHEN (SELECT count(*) FROM added) < $17 THEN (SELECT array_agg(id) FROM added) END AS ids
    FROM added GROUP BY lane
""")
# The same for one, in half the time: most come alone where there is little to do.
_ADD_ONE = """
    WITH clock AS (
        INSERT INTO task_clock (org_id, lane, vt)
        VALUES ($3, $4, greatest((SELECT vt FROM task_mark WHERE lane = $4), $10, 0) + $7)
        ON CONFLICT (org_id, lane) DO UPDATE SET vt = greatest(excluded.vt, task_clock.vt + $7)
        RETURNING vt
    )
    INSERT INTO task (id, kind, org_id, lane, job_id, priority, vt, payload, traceparent,
        state, attempt, owner, leased_at)
    SELECT $1, $2, $3, $4, $5, $6, vt, CAST(CAST($8 AS text) AS jsonb), $9,
        CAST($11 AS integer), CAST($11 AS integer), $12, CASE WHEN $11 = 1 THEN now() END
    FROM clock
    ON CONFLICT (id) DO NOTHING
    RETURNING vt
"""

# A waiting task comes to the front, so that its worker answers for it at once.
_CANCEL = text(
    "UPDATE task SET cancel_reason = coalesce(cancel_reason, :reason), priority = :cancelled, "
    "run_at = least(run_at, now()) WHERE job_id = :job_id "
    "AND (CAST(:ids AS text[]) IS NULL OR id = ANY(CAST(:ids AS text[]))) RETURNING id"
)


async def add(session: Session, given: Sequence[Task]) -> None:
    """Store tasks in the caller's transaction; one that is there already stays as it is."""
    await insert(session, given, owner=None, marks={})


async def insert(session: Session, given: Sequence[Task], *, owner: str | None, marks: dict[str, int]) -> set[str]:
    """Store tasks, leased to the owner if there is one; answers the ids of those that were there already.

    `marks` tells how far the virtual time of each lane has come as the caller knows; with an owner it moves on.
    """
    if not given:
        return set()
    if len(given) == 1:
        furthest, known = await _insert_one(session, given[0], owner, marks)
    else:
        furthest, known = await _insert_many(session, given, owner, marks)
    if owner is not None:
        marks.update({lane: max(vt, marks.get(lane, 0)) for lane, vt in furthest.items()})
    return known


async def _insert_many(
    session: Session, given: Sequence[Task], owner: str | None, marks: Mapping[str, int]
) -> tuple[dict[str, int], set[str]]:
    """How far the virtual time of each lane has come with them, and the ids of those that were there already."""
    # What each organisation takes of a lane, and how much of that stands behind each task.
    shares: defaultdict[tuple[str, str], int] = defaultdict(int)
    behind: list[str] = []
    for task in reversed(given):
        place = task.org_id, task.lane
        behind.append(str(shares[place]))
        shares[place] += task.cost
    lanes = {lane for _, lane in shares}
    driver = await session.driver()
    rows = await driver.fetch(
        _ADD,
        joined(lanes),
        joined(str(marks.get(lane, 0)) for lane in lanes),
        joined(org_id for org_id, _ in shares),
        joined(lane for _, lane in shares),
        joined(map(str, shares.values())),
        joined([task.id for task in given]),
        joined([task.kind for task in given]),
        joined([task.org_id for task in given]),
        joined([task.lane for task in given]),
        joined([task.job_id or "" for task in given]),
        joined([str(PRIORITIES[task.priority]) for task in given]),
        joined(reversed(behind)),
        joined([to_json(task.payload).decode() for task in given]),
        traceparent.get(),
        int(owner is not None),
        owner,
        len(given),
    )
    all_new = rows and rows[0]["ids"] is None
    known = set() if all_new else {task.id for task in given}.difference(rows[0]["ids"] if rows else ())
    return {row["lane"]: row["vt"] for row in rows}, known


async def _insert_one(
    session: Session, task: Task, owner: str | None, marks: Mapping[str, int]
) -> tuple[dict[str, int], set[str]]:
    """As if there were many."""
    driver = await session.driver()
    vt = await driver.fetchval(
        _ADD_ONE,
        joined([task.id]),
        task.kind,
        task.org_id,
        task.lane,
        task.job_id or None,
        PRIORITIES[task.priority],
        task.cost,
        to_json(task.payload).decode(),
        traceparent.get(),
        marks.get(task.lane),
        int(owner is not None),
        owner,
    )
    return ({}, {task.id}) if vt is None else ({task.lane: vt}, set())


def first_lease(task: Task, owner: str) -> Lease:
    """The lease of a task that was stored with an owner, in this context's trace."""
    payload = from_json(to_json(task.payload))
    return Lease(
        task.id, task.kind, task.org_id, task.lane, task.job_id, payload, 1, 0, traceparent.get(), owner
    )  # fmt: skip


async def cancel(session: Session, job_id: str, ids: Sequence[str] | None, reason: str) -> set[str]:
    """Ask these tasks of a job to stop, or all; answers those that are there. Their workers answer for them."""
    values = {"job_id": job_id, "ids": None if ids is None else list(ids), "reason": reason, "cancelled": CANCELLED}
    return set(await session.scalars(_CANCEL, values))
