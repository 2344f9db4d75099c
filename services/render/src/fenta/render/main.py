"""Builds render and runs it."""

import os
import shutil
from functools import partial

from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.chassis.storage import open_storage
from fenta.render import api, engine, handlers, internal
from fenta.render.jobs import Worker
from fenta.render.orders import Orders
from fenta.render.service import RenderService
from fenta.render.settings import Settings


async def main() -> None:
    settings = load(Settings)
    _clear(settings)
    async with open_service("render", settings) as service, open_storage(settings, service="render") as storage:
        renders = RenderService(
            database=service.database,
            storage=storage,
            engine=partial(engine.render, workers=settings.render_workers, face_model=settings.render_face_model),
            folder=settings.work_folder,
            cache_bytes=settings.render_cache_mib << 20,
            publish_lossy=service.relay.publish_lossy,
        )
        slots = {"high": settings.timeline_slots, "default": settings.timeline_slots, "media": settings.render_slots}
        renders.queue = service.work(Worker(renders), slots=slots)
        service.consume(handlers.routes(renders))
        larger = {internal.RENDERS: internal.ORDER_LIMIT_BYTES, internal.FILES: settings.render_upload_mib << 20}
        app = create_app("render", verifier=Verifier(settings.identity_public_keys), larger=larger)
        app.include_router(api.router(renders))
        orders = Orders(renders=renders, database=service.database, storage=storage)
        key, folder = settings.fanta_projekt_api_key, settings.work_folder / "passing"
        app.include_router(internal.router(orders, key=key, folder=folder))
        await service.serve(app)


def _clear(settings: Settings) -> None:
    """An earlier life of this replica may have been killed in the middle of a film."""
    shutil.rmtree(settings.work_folder, ignore_errors=True)
    if settings.ffmpeg_path:
        os.environ["FFMPEG_PATH"] = str(settings.ffmpeg_path)
