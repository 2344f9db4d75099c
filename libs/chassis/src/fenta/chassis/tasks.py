"""Leased tasks: long work as rows that workers take in turn, by priority and fairly between organisations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic_core import to_json
from sqlalchemy import text

from fenta.chassis.database import Session
from fenta.chassis.errors import LeaseLost
from fenta.chassis.telemetry import traceparent

PRIORITIES = {"interactive": 0, "default": 1, "batch": 2}
VIRTUAL_SECOND = 1000


@dataclass(frozen=True)
class Task:
    """Work to be done once. `weight` is the organisation's share, `expected_seconds` what one task takes of it."""

    id: str
    kind: str
    org_id: str
    lane: str
    job_id: str | None = None
    priority: Literal["interactive", "default", "batch"] = "default"
    weight: int = 1
    expected_seconds: int = 1
    payload: dict[str, Any] = field(default_factory=dict)


class Lease(NamedTuple):
    """A task in the hands of one worker. `token` rises with each hand-over and fences out earlier holders."""

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

    @property
    def key(self) -> tuple[str, int]:
        """One hand-over of one task."""
        return self.id, self.token

    async def failed(self, session: Session, seconds: float, error: str) -> None:
        """Give the task back after a failure, which counts. Raises `LeaseLost`."""
        await self.hold(session)
        await session.execute(_FAILED, {"id": self.id, "seconds": seconds, "error": error[:2000]})

    async def hold(self, session: Session) -> None:
        """Lock the task for this transaction. Raises `LeaseLost`; use it before writing half-way results."""
        if not await lock(session, [self]):
            raise LeaseLost(f"task {self.id} is no longer in the hands of {self.owner}")


_LOCK = text(
    "SELECT id, attempt FROM task WHERE id = ANY(:ids) AND state = 1 AND owner = ANY(:owners) ORDER BY id FOR UPDATE"
)
_FAILED = text(
    "UPDATE task SET state = 2, owner = NULL, failures = failures + 1, error = :error, "
    "run_at = now() + make_interval(secs => CAST(:seconds AS float)) WHERE id = :id"
)


async def lock(session: Session, leases: Sequence[Lease]) -> set[tuple[str, int]]:
    """Lock these tasks for the transaction; answers the keys of the leases that still hold. This is the fence."""
    columns = {"ids": [lease.id for lease in leases], "owners": list({lease.owner for lease in leases})}
    rows = await session.execute(_LOCK, columns)
    return {(row.id, row.attempt) for row in rows} & {lease.key for lease in leases}


# A task's virtual time is where its organisation stands in the queue: each task moves it on by its share, and
# nobody starts behind the mark, the virtual time of what was taken last. So a crowd of one delays others by one.
_ADD = text(
    """
    WITH given AS (
        SELECT * FROM unnest(CAST(:id AS text[]), CAST(:kind AS text[]), CAST(:org_id AS text[]), CAST(:lane AS text[]),
            CAST(:job_id AS text[]), CAST(:priority AS smallint[]), CAST(:cost AS bigint[]), CAST(:payload AS text[]))
            WITH ORDINALITY AS u(id, kind, org_id, lane, job_id, priority, cost, payload, n)
    ), share AS (
        SELECT org_id, lane, sum(cost) AS cost FROM given GROUP BY org_id, lane
    ), clock AS (
        INSERT INTO task_clock (org_id, lane, vt)
        SELECT s.org_id, s.lane, coalesce(m.vt, 0) + s.cost FROM share s LEFT JOIN task_mark m ON m.lane = s.lane
        ORDER BY s.org_id, s.lane
        ON CONFLICT (org_id, lane) DO UPDATE
        SET vt = greatest(task_clock.vt, excluded.vt - (SELECT cost FROM share s
                 WHERE s.org_id = excluded.org_id AND s.lane = excluded.lane))
               + (SELECT cost FROM share s WHERE s.org_id = excluded.org_id AND s.lane = excluded.lane)
        RETURNING org_id, lane, vt
    )
    INSERT INTO task (id, kind, org_id, lane, job_id, priority, vt, payload, traceparent)
    SELECT g.id, g.kind, g.org_id, g.lane, g.job_id, g.priority,
        c.vt - s.cost + sum(g.cost) OVER (PARTITION BY g.org_id, g.lane ORDER BY g.n),
        g.payload::jsonb, :traceparent
    FROM given g JOIN clock c USING (org_id, lane) JOIN share s USING (org_id, lane)
    ORDER BY g.n
    ON CONFLICT (id) DO NOTHING
    """
)

# A waiting task comes to the front, so that its worker answers for it at once.
_CANCEL = text(
    "UPDATE task SET cancel_reason = coalesce(cancel_reason, :reason), priority = -1, "
    "run_at = least(run_at, now()) WHERE job_id = :job_id "
    "AND (CAST(:ids AS text[]) IS NULL OR id = ANY(CAST(:ids AS text[]))) RETURNING id"
)


async def add(session: Session, tasks: Sequence[Task]) -> None:
    """Store tasks in the caller's transaction; one that is there already stays as it is."""
    if not tasks:
        return
    columns = {
        "id": [task.id for task in tasks],
        "kind": [task.kind for task in tasks],
        "org_id": [task.org_id for task in tasks],
        "lane": [task.lane for task in tasks],
        "job_id": [task.job_id for task in tasks],
        "priority": [PRIORITIES[task.priority] for task in tasks],
        "cost": [max(1, task.expected_seconds * VIRTUAL_SECOND // task.weight) for task in tasks],
        "payload": [to_json(task.payload).decode() for task in tasks],
    }
    await session.execute(_ADD, columns | {"traceparent": traceparent.get()})


async def cancel(session: Session, job_id: str, ids: Sequence[str] | None, reason: str) -> set[str]:
    """Ask these tasks of a job to stop, or all; answers those that are there. Their workers answer for them."""
    values = {"job_id": job_id, "ids": None if ids is None else list(ids), "reason": reason}
    return set(await session.scalars(_CANCEL, values))
