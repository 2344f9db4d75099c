"""Builds generation and runs it."""

from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.chassis.storage import open_storage
from fenta.generation import api, handlers, jobs
from fenta.generation.production import Production
from fenta.generation.providers.local import LocalHouse
from fenta.generation.providers.workshop import Workshop
from fenta.generation.service import GenerationService
from fenta.generation.settings import Settings


async def main() -> None:
    settings = load(Settings)
    async with (
        open_service("generation", settings) as service,
        open_storage(settings, service="generation") as storage,
        Workshop(
            helpers=settings.engine_helpers,
            idle_seconds=settings.engine_idle_seconds,
            recogniser=settings.whisper_model,
        ) as workshop,
        LocalHouse(settings.engine_folder, workshop, keep_seconds=settings.engine_keep_seconds) as local,
    ):
        production = Production(
            database=service.database,
            storage=storage,
            providers={local.name: local},
            inspect=workshop.inspect,
            listen=workshop.listen,
            folder=settings.engine_folder / "tmp" / settings.instance_id,
            tell=service.relay.publish_lossy,
            reconcile_seconds=settings.reconcile_seconds,
        )
        slots = {"high": settings.slots_high, "default": settings.slots_default, "media": settings.slots_media}
        queue = service.work(production, slots=slots)
        service.consume(handlers.routes(GenerationService(queue)))
        service.background("gauges", jobs.measure(service.database))
        app = create_app("generation", verifier=Verifier(settings.identity_public_keys))
        app.include_router(api.router())
        await service.serve(app)
