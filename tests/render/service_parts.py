"""The service on real parts: requests as the workflow sends them, and an engine that does as it is told."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.messages import Message
from fenta.chassis.storage import Storage
from fenta.chassis.workers import Workers
from fenta.contracts import documents
from fenta.contracts.events import EVENTS, CancellationRequested, Event, RenderRequested, StepProgressed
from fenta.contracts.ids import new_id, step_id, uuid7
from fenta.contracts.nodes import CATALOGUE, RenderParams
from fenta.contracts.timeline import Canvas
from fenta.contracts.values import Contract, KeyedValue, PortValue, Value, inline
from fenta.render import handlers
from fenta.render.checks import Checks
from fenta.render.engine import Film, Rendered
from fenta.render.errors import Fault
from fenta.render.jobs import Worker
from fenta.render.memory import Memory
from fenta.render.segment_tasks import SegmentTasks
from fenta.render.service import Engine, RenderService
from fenta.render.studios import Studios
from fenta.render.templates.library import TemplateLibrary
from fenta.render.timeline import label
from tests.support.work import working

CHECKS = Checks(0, -14.0, 0, 0, 0, 1.0)


class TheEngine:
    """Stands in for ffmpeg: writes small files, waits at a gate, or fails with the next of its errors."""

    def __init__(self) -> None:
        self.calls = 0
        self.errors: list[BaseException] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.interrupted = 0
        self.canvases: Sequence[Canvas] = ()
        # Keys of the parts of its films; what the cache has of them is taken from there.
        self.segments: tuple[str, ...] = ()

    async def __call__(
        self,
        timeline: Any,
        *,
        sources: Any,
        canvases: Sequence[Canvas],
        folder: Path,
        params: RenderParams,
        on_progress: Any,
        cache: Any,
        hands: Any,
    ) -> Rendered:
        self.calls += 1
        self.canvases = canvases
        folder.mkdir(parents=True)
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.interrupted += 1
            raise
        if self.errors:
            raise self.errors.pop(0)
        on_progress(150, 150)
        found = await cache.find(self.segments)
        made = _rendered(folder, canvases, timeline.duration_ms, params)
        for key in self.segments:
            if key not in found:
                await cache.keep(key, made.films[0].video, {"frames": 50})
        paid = sum(50 for key in self.segments if key in found and found[key]["paid"])
        return replace(made, segments=self.segments, free_frames=paid)


WARNING = Fault("glyph_left_out", "A character is left out.")


def _rendered(folder: Path, canvases: Sequence[Canvas], duration_ms: int, params: RenderParams) -> Rendered:
    def made(name: str) -> Path:
        path = folder / name
        path.write_bytes(f"{name} {duration_ms}".encode())
        return path

    films = [
        Film(canvas, made(f"video-{label(canvas)}.mp4"), made(f"thumbnail-{label(canvas)}.jpg"), 30, 150, 5000, CHECKS)
        for canvas in canvases
    ]
    return Rendered(
        tuple(films), {kind: made(f"subtitles.{kind}") for kind in params.sidecars}, -14.0, -1.5, warnings=(WARNING,)
    )


@dataclass
class Replica:
    """One render process as its `main` puts it together, without Kafka; `told` is its lossy news."""

    database: Database
    storage: Storage
    folder: Path
    engine: Engine
    told: list[StepProgressed] = field(default_factory=list)
    memory_bytes: int = 1 << 40

    def __post_init__(self) -> None:
        self.studios = Studios(self.storage, self.folder, workers=2)
        self.renders = RenderService(
            cache_bytes=1 << 30,
            database=self.database,
            storage=self.storage,
            templates=TemplateLibrary(self.database),
            engine=self.engine,
            folder=self.folder,
            publish_lossy=self.told.append,
            studios=self.studios,
        )
        self.segments = SegmentTasks(
            database=self.database,
            studios=self.studios,
            memory=Memory(self.memory_bytes),
            cache_of=self.renders.cache_of,
        )

    @asynccontextmanager
    async def working(self, instance_id: str = "0", **slots: int) -> AsyncIterator[Workers]:
        """Its workers, with other slots than usual in some lanes."""
        lanes = {"default": 2, "media": 1, "segments": 2} | slots
        executor = Worker(self.renders, self.segments)
        async with working(self.database, executor, service="render", slots=lanes, instance_id=instance_id) as workers:
            self.renders.queue = workers
            yield workers
        await self.studios.close()


@dataclass
class Parts:
    """A running service without Kafka: messages are handed in, events are read from the outbox."""

    database: Database
    storage: Storage
    replica: Replica
    engine: TheEngine
    folder: Path
    progress: list[StepProgressed]
    org_id: str = field(default_factory=lambda: new_id("org"))
    job_id: str = field(default_factory=lambda: new_id("job"))

    @property
    def renders(self) -> RenderService:
        return self.replica.renders

    async def deliver(self, *events: Event) -> None:
        """One batch, in one transaction."""
        routes = {event: route.use_case for route in handlers.routes(self.renders) for event in route.events}
        async with self.database.transaction() as session:
            for event in events:
                use_case = routes[type(event)]
                assert use_case is not None
                await use_case(session, message(event))

    @asynccontextmanager
    async def working(self, instance_id: str = "0") -> AsyncIterator[Workers]:
        async with self.replica.working(instance_id) as workers:
            yield workers

    async def events(self) -> list[Event]:
        """What the outbox holds, in order."""
        async with self.database.transaction() as session:
            rows = await session.execute(text("SELECT headers, value FROM outbox_event"))
            return [EVENTS[row.headers["ce_type"]].model_validate_json(bytes(row.value)) for row in rows]

    async def put(self, type_: str, document: Contract) -> Value:
        data = documents.encode(document)
        sha256 = await self.storage.put(self.org_id, data, media_type=documents.media_type_of(type_))
        return Value(type=type_, asset_id=new_id("asset"), sha256=sha256)

    async def put_files(self, files: dict[str, Path]) -> None:
        for path in files.values():
            await self.storage.put_file(self.org_id, path, media_type="application/octet-stream")

    def request(self, node_type: str, inputs: dict[str, PortValue], **more: Any) -> RenderRequested:
        return render_request(self.org_id, self.job_id, node_type, inputs, **more)

    def stop(self, *step_ids: str) -> CancellationRequested:
        steps = list(step_ids) or None
        return CancellationRequested(org_id=self.org_id, job_id=self.job_id, step_ids=steps, reason="user")


def render_request(
    org_id: str, job_id: str, node_type: str, inputs: dict[str, PortValue], *, key: str = "render", **more: Any
) -> RenderRequested:
    """As the workflow sends it, with everything a test does not care about filled in."""
    node = CATALOGUE[node_type]
    given: dict[str, Any] = {
        "org_id": org_id,
        "job_id": job_id,
        "step_id": step_id(job_id, key),
        "step_key": key,
        "node_type": node_type,
        "step_type": node.step_type,
        "node_version": 1,
        "params": {},
        "inputs": inputs,
        "lane": node.lane,
        "expected_seconds": 30,
        "timeout_seconds": node.timeout_seconds,
        "fingerprint": hashlib.sha256(key.encode()).hexdigest(),
    }
    return RenderRequested(**{**given, **more})


def message(event: Event) -> Message[Any]:
    return Message(event, str(uuid7()), {}, None)  # type: ignore[arg-type]


def keyed(values: dict[str, Value]) -> list[KeyedValue]:
    return [KeyedValue(key=key, value=value) for key, value in values.items()]


async def short_inputs(parts: Parts, bindings: Any) -> dict[str, PortValue]:
    """The inputs of `Edit.Timeline` for a film of the template's bindings."""
    visuals = {key: Value(type="image", **visual.asset.model_dump()) for key, visual in bindings.visuals.items()}
    return {
        "script": await parts.put("script", bindings.script),
        "visuals": keyed(visuals),
        "voice": keyed({key: await parts.put("speech", speech) for key, speech in bindings.speech.items()}),
        "subtitles": keyed({key: await parts.put("subtitles", cues) for key, cues in bindings.subtitles.items()}),
        "music": await parts.put("music", bindings.music),
        "title": inline("text", "A title of one's own"),
    }


def as_json(event: Event) -> dict[str, Any]:
    return dict(json.loads(event.model_dump_json(by_alias=True)))
