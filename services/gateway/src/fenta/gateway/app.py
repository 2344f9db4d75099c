"""Puts the gateway's parts together into one app; `main` and the tests give it the outside."""

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware

from fenta.chassis.database import Database
from fenta.chassis.http import create_app
from fenta.chassis.storage import Storage
from fenta.gateway.access.addresses import networks
from fenta.gateway.access.door import Door
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.access.tokens import AccessTokens
from fenta.gateway.accounts.passwords import Passwords
from fenta.gateway.accounts.service import Accounts
from fenta.gateway.api import about, access_tokens, assets, auth, events, owned
from fenta.gateway.assets.service import Assets
from fenta.gateway.catalogue.service import Catalogue
from fenta.gateway.entrance import Entrance
from fenta.gateway.estimates import Estimates
from fenta.gateway.forwarding.owners import Owners
from fenta.gateway.idempotency import Idempotency
from fenta.gateway.live.channels import Channels
from fenta.gateway.live.hub import Hub
from fenta.gateway.live.stream import Streams
from fenta.gateway.settings import GatewaySettings

# A little longer than an owner may take, so that nobody starts over what still runs.
HELD_BEYOND_SECONDS = 30


class Gateway:
    """The parts of one gateway process."""

    def __init__(
        self, settings: GatewaySettings, *, database: Database, storage: Storage, owners: Owners, sessions: Sessions,
        passwords: Passwords,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._owners = owners
        self._sessions = sessions
        self.hub = Hub(
            database=database,
            url=settings.database_url.get_secret_value(),
            poll_seconds=settings.stream_poll_seconds,
        )
        self.channels = Channels(tell=self.hub.tell)
        self.assets = Assets(database=database, storage=storage)
        self.idempotency = Idempotency(
            database=database,
            instance_id=settings.instance_id,
            held_seconds=settings.owner_timeout_seconds + HELD_BEYOND_SECONDS,
        )
        self._door = Door(
            database=database,
            sessions=sessions,
            default_plan=settings.default_plan,
            sign_ins_per_minute=settings.sign_ins_per_minute,
        )
        self._accounts = Accounts(
            database=database, passwords=passwords, sessions=sessions, default_plan=settings.default_plan
        )
        self._tokens = AccessTokens(database=database)
        self._streams = Streams(
            database=database, storage=storage, hub=self.hub, comment_seconds=settings.stream_comment_seconds
        )

    def app(self) -> FastAPI:
        """The public API."""
        app = create_app("gateway")
        release = version("fenta-gateway")
        catalogue = Catalogue(self._owners, own=app.openapi, version=release, api_url=self._settings.api_url)
        for router in (
            auth.router(self._accounts, self._door),
            access_tokens.router(self._tokens),
            assets.router(self.assets),
            events.router(self._streams, self._owners),
            about.router(self._sessions, catalogue, version=release),
            owned.router(self._owners, Estimates(self._owners)),
        ):
            app.include_router(router)
        app.user_middleware.extend(self._middleware(app))
        return app

    def _middleware(self, app: FastAPI) -> Sequence[Middleware]:
        """Inside the manners; its refusals become problem documents by the same handlers as the routes'."""
        proxies = networks(self._settings.trusted_proxies)
        return [
            Middleware(ExceptionMiddleware, handlers=app.exception_handlers),
            Middleware(Entrance, door=self._door, idempotency=self.idempotency, proxies=proxies),
        ]
