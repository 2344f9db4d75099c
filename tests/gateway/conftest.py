"""A whole gateway over a real database, with small real servers as the owners."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import text

from fenta.chassis.database import Database, open_database
from fenta.chassis.identity import new_signing_keys, public_half
from fenta.chassis.settings import StorageSettings
from fenta.chassis.storage import Storage, open_storage
from fenta.embedded.postgres import EmbeddedPostgres
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.accounts.passwords import Passwords
from fenta.gateway.app import Gateway
from fenta.gateway.forwarding.owners import open_owners
from fenta.gateway.settings import GatewaySettings
from tests.conftest import service_url, until
from tests.gateway.owners import FakeOwner

NAMES = ("workflow", "generation", "render", "billing", "notifier")
KEYS = new_signing_keys()
PUBLIC_KEYS = public_half(KEYS)
PASSWORD = "a long pass phrase"
STORAGE = StorageSettings(
    s3_endpoint_url="http://127.0.0.1:1", aws_access_key_id=SecretStr("key"), aws_secret_access_key=SecretStr("secret")
)
_numbers = itertools.count()


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    made = Passwords(memory_kib=8, rounds=1, threads=2)
    yield made
    made.close()


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    """Signs links as always; nobody answers behind them."""

    async def opened(stack: AsyncExitStack) -> Storage:
        return await stack.enter_async_context(open_storage(STORAGE, service="gateway"))

    stack = AsyncExitStack()
    yield asyncio.run(opened(stack))
    asyncio.run(stack.aclose())


@pytest.fixture
async def owners() -> AsyncIterator[dict[str, FakeOwner]]:
    """The services behind the gateway, by name."""
    started = {name: await FakeOwner(name).start() for name in NAMES}
    yield started
    for owner in started.values():
        await owner.stop()


class World:
    """One or more gateways over the same database and owners."""

    def __init__(
        self,
        base: dict[str, Any],
        database: Database,
        owners: dict[str, FakeOwner],
        passwords: Passwords,
        storage: Storage,
    ) -> None:
        self.base = base
        self.database = database
        self.owners = owners
        self._passwords = passwords
        self._storage = storage

    @asynccontextmanager
    async def parts(self, **settings: Any) -> AsyncIterator[Gateway]:
        """A gateway process's parts; nothing of it runs."""
        made = GatewaySettings(**self.base | settings)
        sessions = Sessions(KEYS, issuer=made.api_url)
        async with open_owners(
            urls=made.owner_urls, signer=sessions.signer, timeout_seconds=made.owner_timeout_seconds
        ) as owners:
            yield Gateway(
                made,
                database=self.database,
                storage=self._storage,
                owners=owners,
                sessions=sessions,
                passwords=self._passwords,
            )

    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[Gateway]:
        """The same, and its hub runs."""
        async with self.parts(**settings) as gateway:
            hub = asyncio.create_task(gateway.hub.run())
            try:
                yield gateway
            finally:
                hub.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await hub

    @asynccontextmanager
    async def client(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A client of a gateway of its own, without sockets in between."""
        async with self.gateway(**settings) as gateway:
            transport = httpx.ASGITransport(gateway.app(), client=("127.0.0.9", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                yield client

    @asynccontextmanager
    async def served(self, **settings: Any) -> AsyncIterator[str]:
        """The address of a gateway on a port of its own."""
        async with self.gateway(**settings) as gateway, serving(gateway) as url:
            yield url


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[str]:
    server = _Server(uvicorn.Config(gateway.app(), port=0, log_config=None, access_log=False, lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture(scope="session")
def gateway_url(migrated: EmbeddedPostgres) -> str:
    """One database for all tests of the gateway; emptying it is ten times as quick as copying it."""
    asyncio.run(_create(migrated.url, "gateway_tests"))
    return service_url(migrated, "gateway_tests", "gateway")


async def _create(admin_url: str, name: str) -> None:
    admin = await asyncpg.connect(admin_url.rsplit("/", 1)[0] + "/template1")
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE postgres")
    await admin.close()


@pytest.fixture
async def database(gateway_url: str) -> AsyncIterator[Database]:
    """Empty, connected as the gateway's own role."""
    async with open_database(gateway_url, service="gateway") as database:
        async with database.transaction() as session:
            names = await session.scalars(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'gateway' AND tablename <> 'alembic_version'")
            )
            await session.execute(text(f"TRUNCATE {', '.join(names)}"))
        yield database


@pytest.fixture
async def world(
    gateway_url: str, database: Database, owners: dict[str, FakeOwner], passwords: Passwords, storage: Storage
) -> World:
    base = {
        "http_port": 1,
        "admin_port": 2,
        "database_url": gateway_url,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        **STORAGE.model_dump(exclude_none=True),
        "jwt_signing_keys": SecretStr(KEYS),
        "workflow_url": owners["workflow"].url,
        "generation_url": owners["generation"].url,
        "fanta_projekt_api_url": owners["render"].url,
        "billing_url": owners["billing"].url,
        "notifier_url": owners["notifier"].url,
        "default_plan": "pro",
        "sign_ins_per_minute": 1000,
    }
    return World(base, database, owners, passwords, storage)


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client


async def register(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """A new person's tokens."""
    body = {"email": f"ada{next(_numbers)}@example.com", "password": PASSWORD, "name": "Ada"}
    answer = await client.post("/v1/auth/register", json=body | fields)
    assert answer.status_code == 201, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def signed_in(client: httpx.AsyncClient) -> dict[str, Any]:
    return await register(client)


@pytest.fixture
async def session_headers(signed_in: dict[str, Any]) -> dict[str, str]:
    return bearer(signed_in["access_token"])


async def make_pat(client: httpx.AsyncClient, headers: dict[str, str], *scopes: str) -> dict[str, Any]:
    answer = await client.post("/v1/access-tokens", headers=headers, json={"name": "laptop", "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.json()
    return token
