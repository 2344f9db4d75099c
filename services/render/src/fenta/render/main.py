"""Builds render and runs it."""

import os
import shutil
from functools import partial

from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.chassis.storage import open_storage
from fenta.render import api, engine, handlers, internal, sharing
from fenta.render.crew import cores
from fenta.render.jobs import Worker
from fenta.render.memory import Memory, available_bytes
from fenta.render.orders import Orders
from fenta.render.segment_tasks import SegmentTasks
from fenta.render.service import RenderService
from fenta.render.settings import Settings
from fenta.render.studios import open_studios
from fenta.render.templates.library import TemplateLibrary
from fenta.render.templates.preview import Previews


async def main() -> None:
    settings = load(Settings)
    _clear(settings)
    async with (
        open_service("render", settings) as service,
        open_storage(settings, service="render") as storage,
        open_studios(storage, settings.work_folder, workers=settings.render_workers) as studios,
    ):
        library = TemplateLibrary(service.database)
        renders = RenderService(
            database=service.database,
            templates=library,
            storage=storage,
            engine=partial(engine.render, workers=settings.render_workers, face_model=settings.render_face_model),
            folder=settings.work_folder,
            cache_bytes=settings.render_cache_mib << 20,
            publish_lossy=service.relay.publish_lossy,
            studios=studios,
        )
        segments = SegmentTasks(
            database=service.database, studios=studios, memory=_memory(settings), cache_of=renders.cache_of
        )
        renders.queue = service.work(Worker(renders, segments), slots=_slots(settings))
        service.consume(handlers.routes(renders))
        larger = {internal.RENDERS: internal.ORDER_LIMIT_BYTES, internal.FILES: settings.render_upload_mib << 20}
        app = create_app("render", verifier=Verifier(settings.identity_public_keys), larger=larger)
        app.include_router(api.router(renders, library, Previews()))
        orders = Orders(renders=renders, database=service.database, storage=storage)
        key, folder = settings.fanta_projekt_api_key, settings.work_folder / "passing"
        app.include_router(internal.router(orders, key=key, folder=folder))
        await service.serve(app)


def _slots(settings: Settings) -> dict[str, int]:
    return {
        "high": settings.timeline_slots,
        "default": settings.timeline_slots,
        "media": settings.render_slots,
        sharing.LANE: settings.render_workers or cores(),
    }


def _memory(settings: Settings) -> Memory:
    given = settings.render_memory_mib
    return Memory(given << 20 if given else available_bytes())


def _clear(settings: Settings) -> None:
    """An earlier life of this replica may have been killed in the middle of a film."""
    shutil.rmtree(settings.work_folder, ignore_errors=True)
    if settings.ffmpeg_path:
        os.environ["FFMPEG_PATH"] = str(settings.ffmpeg_path)
