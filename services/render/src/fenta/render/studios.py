"""Where this process makes segments: with the crew of a render that it has itself, or as another one's guest."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from fenta.chassis.errors import Unavailable
from fenta.chassis.storage import Storage
from fenta.contracts.events import RenderRequested
from fenta.render import subtitles
from fenta.render.crew import Crew, Cut, Spec, cores, open_crew
from fenta.render.encoders import BY_NAME
from fenta.render.materials import Materials, canvases_of, render_params
from fenta.render.timeline import files_of_words, frame_plan, source_hashes, sources_between

# A crew is kept for the next segment of the same film.
LINGER_SECONDS = 5.0


class Host:
    """A render in the hands of this process, from when it begins. `ended` is set when one of its segments has ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._crew: asyncio.Future[Crew] = asyncio.get_running_loop().create_future()

    def arrive(self, crew: Crew) -> None:
        """From now on the segments that come here go to this crew."""
        self._crew.set_result(crew)

    async def crew(self) -> Crew:
        """Waits until it is there. Raises Unavailable when it will not come."""
        return await asyncio.shield(self._crew)

    def leave(self) -> None:
        if not self._crew.done():
            self._crew.set_exception(Unavailable("the render that this is for has ended", retry_after_seconds=0.1))
            # Nobody may be waiting.
            self._crew.exception()


class Studios:
    """The crews of this process, by the step that they work for. `workers` is how many processes a crew has."""

    def __init__(self, storage: Storage, folder: Path, *, workers: int | None = None) -> None:
        self._storage, self._folder, self._size = storage, folder, workers or cores()
        self._hosts: dict[str, Host] = {}
        self._guests: dict[str, _Guest] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @contextmanager
    def hosting(self, step_id: str) -> Iterator[Host]:
        """While this lasts, segments of the step that come here wait for its own crew, and go to it."""
        self._hosts[step_id] = host = Host()
        try:
            yield host
        finally:
            host.leave()
            # An earlier try may end after the next one has begun.
            if self._hosts.get(step_id) is host:
                del self._hosts[step_id]

    def tell_host(self, step_id: str) -> None:
        """If it is here, it need not wait until it looks again."""
        if step_id in self._hosts:
            self._hosts[step_id].ended.set()

    @asynccontextmanager
    async def crew(self, request: RenderRequested, cut: Cut) -> AsyncIterator[Crew]:
        """A crew that can make this segment."""
        if host := self._hosts.get(request.step_id):
            yield await host.crew()
            return
        guest = self._guests.setdefault(request.step_id, _Guest(self._storage, self._folder, request, self._size))
        guest.users += 1
        try:
            yield await guest.ready_for(cut)
        finally:
            guest.users -= 1
            self._later(request.step_id, guest)

    async def close(self) -> None:
        for guest in self._guests.values():
            await guest.close()
        self._guests.clear()

    def _later(self, step_id: str, guest: "_Guest") -> None:
        closing = asyncio.create_task(self._leave(step_id, guest))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _leave(self, step_id: str, guest: "_Guest") -> None:
        await asyncio.sleep(LINGER_SECONDS)
        if not guest.users and self._guests.get(step_id) is guest:
            del self._guests[step_id]
            await guest.close()


@asynccontextmanager
async def open_studios(storage: Storage, folder: Path, *, workers: int | None) -> AsyncIterator[Studios]:
    """Nobody works in them afterwards."""
    studios = Studios(storage, folder, workers=workers)
    try:
        yield studios
    finally:
        await studios.close()


class _Guest:
    """A crew for segments of a film that another process renders, with the files that they need."""

    def __init__(self, storage: Storage, folder: Path, request: RenderRequested, size: int) -> None:
        self._storage, self._request, self._size = storage, request, size
        self._folder = folder / f"guest-{request.step_id}"
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._crew: Crew | None = None
        self._works: set[str] = set()
        self.users = 0

    async def ready_for(self, cut: Cut) -> Crew:
        """Raises Unavailable when this machine lacks the card that the film is encoded by."""
        async with self._lock:
            crew = self._crew = self._crew or await self._opened()
            await self._fetch(self._needed(cut))
            await self._require(crew, cut.encoder)
        return crew

    async def _opened(self) -> Crew:
        await self.close()
        self._folder.mkdir(parents=True)
        timeline, _ = await Materials(self._storage, self._request).timeline()
        await self._fetch(files_of_words(timeline))
        params = render_params(self._request)
        sources = {sha256: self._folder / sha256 for sha256 in source_hashes(timeline)}
        timeline, canvases = subtitles.filled(timeline, sources), canvases_of(params.aspects, params.resolution)
        self._plans = [frame_plan(timeline, canvas) for canvas in canvases]
        opening = open_crew(Spec(timeline, canvases, sources, params), self._folder, size=self._size)
        crew = await self._open.enter_async_context(opening)
        await crew.ask({"do": "furnish"})
        return crew

    async def _fetch(self, hashes: Iterable[str]) -> None:
        for sha256 in sorted(hashes):
            if not (self._folder / sha256).exists():
                await self._storage.fetch(self._request.org_id, sha256, self._folder / sha256)

    async def _require(self, crew: Crew, encoder: str) -> None:
        if not BY_NAME[encoder].hardware or encoder in self._works:
            return
        if not (await crew.ask({"do": "tried", "encoder": encoder}))["works"]:
            raise Unavailable(f"this machine has no {encoder}", retry_after_seconds=LINGER_SECONDS)
        self._works.add(encoder)

    def _needed(self, cut: Cut) -> set[str]:
        return sources_between(self._plans[cut.canvas], cut.first, cut.last)

    async def close(self) -> None:
        await self._open.aclose()
        self._crew = None
        shutil.rmtree(self._folder, ignore_errors=True)
