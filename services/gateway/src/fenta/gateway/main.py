"""Builds the gateway with what it stands on, and tears it down in reverse."""

from contextlib import AsyncExitStack, closing

from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.chassis.storage import open_storage
from fenta.gateway import handlers
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.accounts.passwords import Passwords
from fenta.gateway.app import Gateway
from fenta.gateway.forwarding.owners import open_owners
from fenta.gateway.settings import GatewaySettings
from fenta.gateway.sweeping import sweep_for_ever


async def main() -> None:
    settings = load(GatewaySettings)
    sessions = Sessions(settings.jwt_signing_keys.get_secret_value(), issuer=settings.api_url)
    passwords = Passwords(
        memory_kib=settings.password_memory_kib, rounds=settings.password_rounds, threads=settings.password_threads
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(passwords))
        service = await stack.enter_async_context(open_service("gateway", settings))
        storage = await stack.enter_async_context(open_storage(settings, service="gateway"))
        owners = await stack.enter_async_context(
            open_owners(
                urls=settings.owner_urls, signer=sessions.signer, timeout_seconds=settings.owner_timeout_seconds
            )
        )
        gateway = Gateway(
            settings,
            database=service.database,
            storage=storage,
            owners=owners,
            sessions=sessions,
            passwords=passwords,
        )
        await gateway.idempotency.start()
        service.consume(handlers.routes(gateway.channels, gateway.assets))
        service.consume(handlers.live_routes(gateway.channels), lossy=True)
        service.background("hub", gateway.hub.run())
        service.background("sweep", sweep_for_ever(service.database))
        await service.serve(gateway.app())
