"""Builds notifier and runs it."""

from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.notifier import api, handlers, jobs
from fenta.notifier.addresses import AddressGuard, networks
from fenta.notifier.deliveries import Deliverer
from fenta.notifier.sealing import Keyring
from fenta.notifier.sender import open_sender
from fenta.notifier.service import LANE, NotifierService
from fenta.notifier.settings import Settings, pauses_of


async def main() -> None:
    settings = load(Settings)
    keyring = Keyring(settings.encryption_keys.get_secret_value())
    guard = AddressGuard(networks(settings.outbound_allow_cidrs))
    async with (
        open_service("notifier", settings) as service,
        open_sender(guard, timeout_seconds=settings.delivery_timeout_seconds) as sender,
    ):
        pauses = pauses_of(settings.delivery_schedule_seconds)
        deliverer = Deliverer(database=service.database, keyring=keyring, sender=sender, pauses=pauses)
        queue = service.work(deliverer, slots={LANE: settings.delivery_slots})
        notifier = NotifierService(database=service.database, keyring=keyring, guard=guard, queue=queue)
        service.consume(handlers.routes(notifier))
        service.background("gauges", jobs.measure(notifier))
        service.background("old events", jobs.forget_old_events(notifier))
        app = create_app("notifier", verifier=Verifier(settings.identity_public_keys))
        app.include_router(api.router(notifier, deliverer))
        await service.serve(app)
