"""A render's segments as tasks of their own, which any render process takes; the render waits for them."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database
from fenta.chassis.tasks import Queue, Task
from fenta.contracts.events import Problem, RenderRequested
from fenta.contracts.ids import derived_id
from fenta.render.crew import Answer, Crew, Cut
from fenta.render.engine import Cache, Progress, kept_of
from fenta.render.errors import PartFailed
from fenta.render.models import Piece
from fenta.render.repository import Pieces
from fenta.render.studios import Host

KIND, LANE = "Render.Segment", "segments"
# How soon what others have made is seen; what was made here is seen at once.
LOOK_SECONDS = 1.0


class SharedHands:
    """All render processes, for one request."""

    def __init__(self, database: Database, queue: Queue, host: Host, request: RenderRequested) -> None:
        self._database, self._queue, self._host, self._request = database, queue, host, request

    async def make(self, crew: Crew, cuts: Sequence[Cut], cache: Cache, progress: Progress) -> Mapping[str, Answer]:
        """Raises PartFailed with the first problem of a segment."""
        made: dict[str, Answer] = {}
        missing = list(cuts)
        self._host.arrive(crew)
        while missing:
            await self._order(missing)
            await self._all_ended({cut.key: cut for cut in missing}, progress)
            made |= {cut.key: crew.made[cut.key] for cut in missing if cut.key in crew.made}
            made |= await kept_of(crew, cache, [cut for cut in missing if cut.key not in made])
            # What the store has lost in the meantime is made again.
            missing = [cut for cut in missing if cut.key not in made]
        return made

    async def _order(self, cuts: Sequence[Cut]) -> None:
        """Tasks, and what is expected of them; a task that is there already, from an earlier try, is as good."""
        request, step_id = self._request, self._request.step_id
        async with self._database.transaction() as session:
            await self._queue.add(session, [_task(request, cut) for cut in cuts])
            pieces = [
                Piece(step_id=step_id, key=cut.key, org_id=request.org_id, task_id=task_id(step_id, cut.key))
                for cut in cuts
            ]
            await Pieces(session).expect(pieces)
        crash_point("segments.ordered")

    async def _all_ended(self, cuts: Mapping[str, Cut], progress: Progress) -> None:
        while True:
            self._host.ended.clear()
            async with self._database.transaction() as session:
                rows = [row for row in await Pieces(session).state(self._request.step_id) if row.key in cuts]
            for row in rows:
                if row.problem:
                    raise PartFailed(Problem.model_validate(row.problem))
                progress.update(row.key, row.frames)
            if all(row.ended for row in rows):
                return
            if lost := [cuts[row.key] for row in rows if row.lost]:
                await self._order(lost)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._host.ended.wait()


def task_id(step_id: str, key: str) -> str:
    return derived_id("seg", step_id, key)


def _task(request: RenderRequested, cut: Cut) -> Task:
    return Task(
        id=task_id(request.step_id, cut.key),
        kind=KIND,
        org_id=request.org_id,
        lane=LANE,
        job_id=request.job_id,
        priority=request.priority,
        weight=request.weight,
        expected_seconds=max(1, cut.frames // 30),
        payload={"step_id": request.step_id, "cut": asdict(cut)},
    )
