"""The services behind the gateway: one client for all, and problems instead of exceptions."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from fenta.chassis.errors import Problem
from fenta.chassis.http import read_json
from fenta.chassis.identity import HEADER, Identity, Signer
from fenta.gateway import metrics

CONNECT_SECONDS = 3.0
# Shorter than the owners keep an idle connection, so that we never write into one that they just closed.
KEEPALIVE_SECONDS = 3.0
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Answer:
    """A whole answer of an owner to a question of our own."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return read_json(self.body)


class Owners:
    """Calls the services as somebody; each call is signed for its audience and for one minute."""

    def __init__(
        self, session: aiohttp.ClientSession, *, urls: Mapping[str, str], signer: Signer, timeout_seconds: float
    ) -> None:
        self._session = session
        self._signer = signer
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout_seconds)
        self.urls = urls

    @asynccontextmanager
    async def call(
        self,
        owner: str,
        method: str,
        path: str,
        *,
        query: str = "",
        identity: Identity | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One call; the answer's body is read inside the block. Raises `service_unavailable` or `timeout`."""
        fields = dict(headers or {})
        if identity:
            fields[HEADER] = self._signer.sign_identity(identity, audience=owner)
        url = URL(f"{self.urls[owner]}{path}{'?' + query if query else ''}", encoded=True)
        started, outcome = time.perf_counter(), "broken"
        try:
            async with self._session.request(
                method, url, headers=fields, data=body, timeout=self._timeout, allow_redirects=False
            ) as response:
                outcome = str(response.status)
                metrics.owner_seconds.labels(owner, outcome).observe(time.perf_counter() - started)
                yield response
        except TimeoutError as error:
            raise Problem("timeout", f"The {owner} service did not answer in time.") from error
        except aiohttp.ClientError as error:
            raise away(owner) from error

    async def ask(self, owner: str, method: str, path: str, **arguments: Any) -> Answer:
        """The same with the whole answer."""
        async with self.call(owner, method, path, **arguments) as response:
            return Answer(response.status, list(response.headers.items()), await response.read())


def away(owner: str) -> Problem:
    return Problem(
        "service_unavailable",
        f"The {owner} service is away; everything else goes on.",
        hint="Try again shortly.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        extra={"service": owner},
    )


@asynccontextmanager
async def open_owners(*, urls: Mapping[str, str], signer: Signer, timeout_seconds: float = 60) -> AsyncIterator[Owners]:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # What the client accepts decides what the owner sends, and it passes through as it is.
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
        trust_env=False,
    ) as session:
        yield Owners(session, urls=urls, signer=signer, timeout_seconds=timeout_seconds)
