"""The use cases of one segment: make it wherever it was leased, keep it, tell the render that waits for it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.errors import Unavailable
from fenta.chassis.tasks import Lease
from fenta.contracts.events import RenderRequested
from fenta.render import answers, problems
from fenta.render.asides import Asides
from fenta.render.cache import SegmentCache
from fenta.render.crew import Cut
from fenta.render.errors import RenderInterrupted, RenderRefused
from fenta.render.materials import canvases_of, render_params
from fenta.render.memory import Memory, estimate_bytes
from fenta.render.models import FINAL, Piece, Render
from fenta.render.repository import Pieces, Renders
from fenta.render.studios import Studios

# A segment that its workers have not survived so often is not handed to another one.
MOST_HANDOVERS = 10
TELL_SECONDS = 1.0
# What may go well when nobody else needs memory.
STARVED = frozenset({"out_of_memory", "worker_died"})

CacheOf = Callable[[RenderRequested], SegmentCache]


class SegmentTasks:
    """Answers for segments to their render, never to the outside."""

    def __init__(self, *, database: Database, studios: Studios, memory: Memory, cache_of: CacheOf) -> None:
        self._database, self._studios, self._memory, self._cache_of = database, studios, memory, cache_of
        self._endings = Endings(database)
        self._asides = Asides()

    async def perform(self, lease: Lease) -> None:
        """Make it, unless nobody waits for it any more or somebody else has made it."""
        begun = await self._begin(lease)
        if begun is None:
            await self._endings.finish(lease)
            return
        request, piece = begun
        cut, cache = Cut(**lease.payload["cut"]), self._cache_of(request)
        if not await cache.find([cut.key]):
            await self._make(request, piece, cut, cache)
        crash_point("segment.kept")
        await self._endings.end(lease, partial(self._tell, frames=cut.frames))

    async def note_failure(self, lease: Lease, error: Exception) -> None:
        """The render's answer will list it. What a part's absence broke was no try."""
        if isinstance(error, Unavailable):
            return
        step_id, cut = lease.payload["step_id"], Cut(**lease.payload["cut"])
        async with self._database.transaction() as session:
            # The render's row first: whoever ends the render comes to the tasks from there.
            render = await Renders(session).get_for_update(step_id)
            await lease.hold(session)
            piece = await Pieces(session).find(step_id, cut.key)
            if piece is None or render.status in FINAL:
                return
            code = problems.problem_of(error, render.event.step_key).code
            render.note(answers.attempt(code, datetime.now(UTC)))
            starved = isinstance(error, RenderInterrupted) and error.code in STARVED
            piece.failures, piece.alone = piece.failures + 1, piece.alone or starved

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """The render fails with this problem."""
        await self._endings.end(lease, partial(self._tell, error=error))

    async def cancelled(self, lease: Lease, reason: str) -> None:
        """The render answers for its reason."""
        await self._endings.finish(lease)

    async def _begin(self, lease: Lease) -> tuple[RenderRequested, Piece] | None:
        step_id, cut = lease.payload["step_id"], Cut(**lease.payload["cut"])
        async with self._database.transaction() as session:
            await lease.hold(session)
            render = await Renders(session).find(step_id)
            piece = await Pieces(session).find(step_id, cut.key)
        if render is None or piece is None or render.status in FINAL:
            return None
        if lease.token - max(lease.failures, piece.failures) > MOST_HANDOVERS:
            raise RenderRefused("workers_died", "Several workers ended while they rendered a part of this.")
        return render.event, piece

    async def _make(self, request: RenderRequested, piece: Piece, cut: Cut, cache: SegmentCache) -> None:
        params = render_params(request)
        canvas = canvases_of(params.aspects, params.resolution)[cut.canvas]
        try:
            async with (
                self._memory.room(estimate_bytes(canvas), alone=piece.alone),
                self._studios.crew(request, cut) as crew,
            ):
                answer = await crew.make(cut, self._telling(request.step_id, cut.key))
                await cache.keep(cut.key, crew.file(cut), answer)
        except RenderInterrupted as error:
            if error.code == "out_of_memory" and piece.alone:
                hint = "Render it smaller, or with fewer things at once."
                raise RenderRefused("out_of_memory", "The film needs more memory than there is.", hint) from error
            raise

    def _telling(self, step_id: str, key: str) -> Callable[[int], None]:
        """Says how far it is, at most once a second."""
        told = time.monotonic()

        def tell(frames: int) -> None:
            nonlocal told
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                self._asides.run(self._note(step_id, key, frames))

        return tell

    async def _note(self, step_id: str, key: str, frames: int) -> None:
        async with self._database.transaction() as session:
            await Pieces(session).note_frames(step_id, key, frames)

    async def _tell(
        self, session: Session, lease: Lease, *, frames: int | None = None, error: Exception | None = None
    ) -> None:
        step_id, key = lease.payload["step_id"], lease.payload["cut"]["key"]
        if error is None:
            await Pieces(session).change(step_id, key, ended=True, frames=frames)
        else:
            found: Render | None = await Renders(session).find(step_id)
            problem = problems.problem_of(error, found.event.step_key if found else "")
            document = problem.model_dump(mode="json", by_alias=True)
            await Pieces(session).change(step_id, key, ended=True, problem=document)
        session.after_commit(partial(self._studios.tell_host, step_id))
