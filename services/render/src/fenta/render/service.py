"""The use cases of render: take a request, cut a timeline, render a film, stop, answer exactly once."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Protocol

from fenta.chassis import tasks
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.messages import Message
from fenta.chassis.storage import Storage
from fenta.chassis.tasks import Lease, Queue, Task
from fenta.contracts import documents
from fenta.contracts.events import CancellationRequested, Event, Evidence, RenderRequested, StepProgressed
from fenta.contracts.nodes import RenderParams
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import answers, metrics, problems
from fenta.render.answers import Output, Stored, Times
from fenta.render.asides import Asides
from fenta.render.cache import SegmentCache
from fenta.render.engine import Cache, Hands, OnProgress, Rendered
from fenta.render.errors import (
    CheckFailed,
    PartFailed,
    RenderInterrupted,
    RenderRefused,
    Sight,
    TimelineRefused,
    TookTooLong,
)
from fenta.render.faults import faults
from fenta.render.materials import Materials, canvases_of, render_params, template_name
from fenta.render.models import INTERNAL_ORG, Render, Stop
from fenta.render.progress import Publish, Reporter
from fenta.render.repository import ALL_STEPS, Pieces, Renders
from fenta.render.sharing import SharedHands
from fenta.render.studios import Host, Studios
from fenta.render.templates.compiling import compile_timeline
from fenta.render.templates.library import TemplateLibrary
from fenta.render.timeline import source_hashes

# A request that its workers have not survived so often is not handed to another one.
MOST_HANDOVERS = 10


class Engine(Protocol):
    """`fenta.render.engine.render`, or what stands in for it in a test."""

    async def __call__(
        self,
        timeline: Timeline,
        *,
        sources: dict[str, Path],
        canvases: Sequence[Canvas],
        folder: Path,
        params: RenderParams,
        on_progress: OnProgress,
        cache: Cache,
        hands: Hands,
    ) -> Rendered: ...


def _now() -> datetime:
    return datetime.now(UTC)


class RenderService:
    """Owns its transactions. `folder` is for files that live as long as one task."""

    def __init__(
        self,
        *,
        database: Database,
        storage: Storage,
        templates: TemplateLibrary,
        engine: Engine,
        folder: Path,
        publish_lossy: Publish,
        cache_bytes: int,
        studios: Studios,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database, self._storage, self._engine = database, storage, engine
        self._endings, self._templates = Endings(database), templates
        self._folder, self._publish_lossy, self._clock = folder, publish_lossy, clock
        self._cache_bytes, self._studios = cache_bytes, studios
        self._asides = Asides()
        # The workers, who have this service for their executor, take its place.
        self.queue: Queue = tasks

    # --- messages ---

    async def accept(self, session: Session, message: Message[RenderRequested]) -> None:
        """Remember the request and queue it; one that was stopped before it came is answered at once."""
        await self.request(session, message.event)

    async def request(self, session: Session, event: RenderRequested) -> None:
        """The same for whoever asks; a repeat changes nothing."""
        renders = Renders(session)
        await renders.lock_job(event.job_id)
        render = await renders.add(Render.requested(event, self._clock()))
        if render is None:
            return
        reason = await renders.stop_reason(event.job_id, event.step_id)
        if reason is not None:
            self._answer_stopped(session, render, reason)
            return
        await self.queue.add(session, [_task(event)])

    async def stop(self, session: Session, message: Message[CancellationRequested]) -> None:
        """Stop these steps of a job, or all, whether their requests have come or not."""
        event, renders = message.event, Renders(session)
        await renders.lock_job(event.job_id)
        await renders.add_stops(_stops(event, self._clock()))
        steps = event.step_ids
        segments = await Pieces(session).tasks_of(steps) if steps is not None else []
        await self.queue.cancel(session, event.job_id, None if steps is None else [*steps, *segments], event.reason)

    # --- tasks ---

    async def perform(self, lease: Lease) -> None:
        """Do one step and answer for it in the transaction that ends its lease."""
        with self._studios.hosting(lease.id) as host:
            await self._perform(lease, host)

    async def _perform(self, lease: Lease, host: Host) -> None:
        request = await self._begin(lease)
        crash_point("render.begun")
        reporter = Reporter(request, self._tell_progress)
        reporter.begin()
        try:
            async with asyncio.timeout(request.timeout_seconds) as limit:
                if request.node_type == "Edit.Timeline":
                    await self._cut(lease, request)
                else:
                    await self._render(lease, request, reporter, host)
        except TimeoutError as error:
            # Others are a network's, and worth another try.
            if not limit.expired():
                raise
            raise TookTooLong(f"more than {request.timeout_seconds} s") from error

    async def note_failure(self, lease: Lease, error: Exception) -> None:
        """Keep what one try came to; the answer will list all of them, and those of its segments."""
        if isinstance(error, PartFailed):
            return
        async with self._database.transaction() as session:
            await lease.hold(session)
            render = await Renders(session).get_for_update(lease.id)
            found = problems.problem_of(error, render.event.step_key)
            render.note(answers.attempt(found.code, self._clock()))

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Answer that the step failed. Nothing is billed."""
        await self._endings.end(lease, partial(self._fail, error=error))

    async def cancelled(self, lease: Lease, reason: str) -> None:
        """Answer that the step was stopped; its work has ended already."""
        await self._endings.end(lease, partial(self._stop, reason=reason))

    # --- reading ---

    async def get(self, org_id: str, render_id: str) -> Render:
        async with self._database.api_transaction(org_id) as session:
            return await Renders(session).get(render_id)

    async def list(self, org_id: str, **filters: Any) -> Sequence[Render]:
        async with self._database.api_transaction(org_id) as session:
            return await Renders(session).list(**filters)

    # --- the work ---

    async def compiled(self, request: RenderRequested) -> Timeline:
        """The template, filled with the inputs of an `Edit.Timeline`. Raises TimelineRefused with all that is wrong."""
        bindings = await Materials(self._storage, request).bindings()
        template = await self._templates.find(request.org_id, template_name(request))
        timeline = compile_timeline(template, bindings)
        # Glyphs are looked up when the film is rendered, by a process that measures text anyway.
        if found := faults(timeline, bindings.canvases, lambda texts: ""):
            raise TimelineRefused(found)
        return timeline

    def _tell_progress(self, news: StepProgressed) -> None:
        """To whoever listens now, and for whoever asks later; neither is waited for."""
        if news.org_id != INTERNAL_ORG:
            self._publish_lossy(news)
        self._asides.run(self._note_progress(news))

    async def _note_progress(self, news: StepProgressed) -> None:
        async with self._database.transaction() as session:
            await Renders(session).note_progress(news.step_id, news.progress)

    async def _begin(self, lease: Lease) -> RenderRequested:
        async with self._database.transaction() as session:
            await lease.hold(session)
            render = await Renders(session).get_for_update(lease.id)
            if lease.token - max(lease.failures, len(render.tries)) > MOST_HANDOVERS:
                raise RenderRefused("workers_died", "Several workers ended while they rendered this.")
            render.start(self._clock())
            return render.event

    async def _cut(self, lease: Lease, request: RenderRequested) -> None:
        timeline = await self.compiled(request)
        data = documents.encode(timeline)
        media_type = documents.media_type_of("timeline")
        sha256 = await self._storage.put(request.org_id, data, media_type=media_type)
        crash_point("timeline.stored")
        stored = Stored(sha256, len(data), media_type)

        def answer(times: Times) -> list[Event]:
            return [answers.timeline_made(request, stored, timeline.duration_ms, times)]

        await self._endings.end(lease, partial(self._complete, answer=answer))

    async def _render(self, lease: Lease, request: RenderRequested, reporter: Reporter, host: Host) -> None:
        timeline, value = await Materials(self._storage, request).timeline()
        params = render_params(request)
        canvases = canvases_of(params.aspects, params.resolution)
        folder, cache = self._new_folder(lease), self.cache_of(request)
        hands = SharedHands(self._database, self.queue, host, request)
        try:
            sources = await self._fetch(request.org_id, timeline, folder)
            crash_point("film.gathered")
            rendered = await self._engine(
                timeline,
                sources=sources,
                canvases=canvases,
                folder=folder / "out",
                params=params,
                on_progress=reporter.frames,
                cache=cache,
                hands=hands,
            )
            crash_point("film.rendered")
            stored = await self._store(request, rendered)
        except CheckFailed as failed:
            await self._refuse(lease, request, failed)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        crash_point("film.stored")

        def answer(times: Times) -> list[Event]:
            made = answers.film_made(request, value, rendered, stored, times)
            return [made, *answers.film_used(request, rendered, times.completed_at)]

        async def complete(session: Session, lease: Lease) -> None:
            await self._complete(session, lease, answer=answer)
            await cache.settle(session, rendered.segments)

        await self._endings.end(lease, complete)
        # Not before: until then the render waits for its segments.
        await cache.trim()
        metrics.output_seconds.inc(rendered.encoded_ms / 1000)

    async def _refuse(self, lease: Lease, request: RenderRequested, failed: CheckFailed) -> NoReturn:
        """Keep what can be seen of it. What may have gone wrong on the way is made once more."""
        async with self._database.transaction() as session:
            found = await Renders(session).find(lease.id)
        tried = {attempt["code"] for attempt in found.tries} if found else set()
        if failed.may_pass and failed.code not in tried:
            raise RenderInterrupted(failed.code, failed.message, failed.hint) from failed
        failed.evidence = tuple([await self._stored_sight(request.org_id, sight) for sight in failed.sights])
        raise failed

    async def _stored_sight(self, org_id: str, sight: Sight) -> Evidence:
        media_type = answers.MEDIA_TYPES[sight.picture.suffix]
        sha256 = await self._storage.put_file(org_id, sight.picture, media_type=media_type)
        return Evidence(code=sight.code, aspect=sight.aspect, at_ms=sight.at_ms, sha256=sha256, media_type=media_type)

    def cache_of(self, request: RenderRequested) -> SegmentCache:
        return SegmentCache(self._database, self._storage, org_id=request.org_id, most_bytes=self._cache_bytes)

    def _new_folder(self, lease: Lease) -> Path:
        folder = self._folder / f"{lease.id}-{lease.token}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    async def _fetch(self, org_id: str, timeline: Timeline, folder: Path) -> dict[str, Path]:
        hashes = sorted(source_hashes(timeline))
        paths = [folder / sha256 for sha256 in hashes]
        copies = [
            asyncio.ensure_future(self._storage.fetch(org_id, sha256, path))
            for sha256, path in zip(hashes, paths, strict=True)
        ]
        try:
            await asyncio.gather(*copies)
        finally:
            # Where one fails, the others still write into the folder that is about to go.
            await asyncio.gather(*copies, return_exceptions=True)
        return dict(zip(hashes, paths, strict=True))

    async def _store(self, request: RenderRequested, rendered: Rendered) -> dict[Output, Stored]:
        stored = {}
        for output, path in answers.files_of(rendered, request).items():
            media_type = answers.MEDIA_TYPES[path.suffix]
            sha256 = await self._storage.put_file(request.org_id, path, media_type=media_type)
            stored[output] = Stored(sha256, path.stat().st_size, media_type)
        return stored

    # --- the answers ---

    async def _complete(self, session: Session, lease: Lease, *, answer: Callable[[Times], Sequence[Event]]) -> None:
        render = await self._ending(session, lease)
        now = self._clock()
        events = answer(Times(render.started_at or now, now))
        render.complete(events[0].model_dump(mode="json"), now)
        _tell(session, render, *events)
        _count(session, render, "completed")

    async def _fail(self, session: Session, lease: Lease, *, error: Exception) -> None:
        render = await self._ending(session, lease)
        problem = problems.problem_of(error, render.event.step_key)
        render.fail(problem, self._clock())
        _tell(session, render, answers.given_up(render.event, problem, render.tries))
        _count(session, render, problem.code)

    async def _stop(self, session: Session, lease: Lease, *, reason: str) -> None:
        self._answer_stopped(session, await self._ending(session, lease), reason)

    async def _ending(self, session: Session, lease: Lease) -> Render:
        """A render that is about to end; nobody need make segments for it any more."""
        render = await Renders(session).get_for_update(lease.id)
        pieces = Pieces(session)
        if left := await pieces.tasks_of([lease.id]):
            await self.queue.cancel(session, render.job_id, left, "over")
        await pieces.remove(lease.id)
        return render

    def _answer_stopped(self, session: Session, render: Render, reason: str) -> None:
        problem = problems.cancelled(reason, render.event.step_key)
        render.cancel(problem, self._clock())
        _tell(session, render, answers.given_up(render.event, problem, render.tries))
        _count(session, render, "cancelled")


def _tell(session: Session, render: Render, *events: Event) -> None:
    """What no job has asked for is nobody else's news, and nobody's bill."""
    for event in () if render.is_internal else events:
        session.publish(event)


def _count(session: Session, render: Render, outcome: str) -> None:
    session.after_commit(metrics.renders.labels(render.node_type, outcome).inc)


def _task(event: RenderRequested) -> Task:
    return Task(
        id=event.step_id,
        kind=event.node_type,
        org_id=event.org_id,
        lane=event.lane,
        job_id=event.job_id,
        priority=event.priority,
        weight=event.weight,
        expected_seconds=event.expected_seconds,
    )


def _stops(event: CancellationRequested, now: datetime) -> list[Stop]:
    steps = event.step_ids if event.step_ids is not None else [ALL_STEPS]
    return [
        Stop(job_id=event.job_id, step_id=step, org_id=event.org_id, reason=event.reason, created_at=now)
        for step in steps
    ]
