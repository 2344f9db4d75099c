"""Builds billing and runs it."""

from datetime import timedelta

from fenta.billing import api, handlers, jobs
from fenta.billing.service import BillingService
from fenta.billing.settings import Settings
from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load


async def main() -> None:
    settings = load(Settings)
    async with open_service("billing", settings) as service:
        billing = BillingService(
            database=service.database,
            default_plan=settings.default_plan,
            release_wait=timedelta(seconds=settings.release_wait_seconds),
        )
        service.consume(handlers.routes(billing))
        service.background("holds", jobs.release_due_holds(billing, every_seconds=settings.release_interval_seconds))
        service.background("gauges", jobs.measure(billing))
        app = create_app("billing", verifier=Verifier(settings.identity_public_keys))
        app.include_router(api.router(billing))
        await service.serve(app)
