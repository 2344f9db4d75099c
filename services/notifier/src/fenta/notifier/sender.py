"""One HTTP try: signed bytes go out, a status and the beginning of an answer come back; never longer than allowed."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import aiohttp
from yarl import URL

from fenta.notifier.addresses import AddressGuard, AddressRefused, UrlRefused

READ_BYTES = 64 * 1024
KEPT_BYTES = 16 * 1024
CONNECT_SECONDS = 5.0

Cause = Literal[
    "", "status", "redirect", "gone", "timeout", "url_not_allowed", "connect_failed", "tls_failed", "bad_answer",
    "interrupted", "internal",
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one try came to. `status` is 0 where there was no answer; `cause` is empty on success."""

    status: int = 0
    cause: Cause = ""
    answer: str = ""
    latency_ms: int = 0
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        return not self.cause

    @property
    def final(self) -> bool:
        """Whether trying again is pointless."""
        return self.cause in ("gone", "url_not_allowed")


@dataclass(frozen=True)
class Letter:
    """What is sent: where to, the bytes, and the headers that sign them."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Sender:
    """Sends letters through two pools: for https to public addresses, for http only where the deployment allows it."""

    def __init__(self, guard: AddressGuard, *, timeout_seconds: float) -> None:
        self.guard = guard
        self._timeout = timeout_seconds
        self._sessions = {secure: self._session(secure) for secure in (True, False)}

    def _session(self, secure: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            socket_factory=self.guard.socket_factory(secure=secure),
            # One address after the other: a race would connect to two of them.
            happy_eyeballs_delay=None,
            limit=0,
            ttl_dns_cache=10,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(CONNECT_SECONDS, self._timeout)),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            requote_redirect_url=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        )

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def send(self, letter: Letter) -> Outcome:
        """Try once. Answers an outcome whatever the receiver does; raises only for mistakes of ours."""
        started = time.monotonic()
        outcome = await self._try(letter)
        return Outcome(**vars(outcome) | {"latency_ms": round((time.monotonic() - started) * 1000)})

    async def _try(self, letter: Letter) -> Outcome:
        try:
            # aiohttp's own limit does not cover everything, such as the close of a stubborn connection.
            async with asyncio.timeout(self._timeout + 1):
                return await self._exchange(letter, self.guard.check_url(letter.url))
        except UrlRefused as error:
            return Outcome(cause="url_not_allowed", answer=str(error))
        except TimeoutError:
            return Outcome(cause="timeout")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
            return Outcome(cause="tls_failed")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            return Outcome(cause="url_not_allowed" if refused else "connect_failed")
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(cause="bad_answer")

    async def _exchange(self, letter: Letter, url: URL) -> Outcome:
        session = self._sessions[url.scheme == "https"]
        headers = {"content-type": "application/json", "user-agent": "Fenta-Webhooks/1", "accept-encoding": "identity"}
        async with session.post(
            url, data=letter.body, headers={**headers, **letter.headers}, allow_redirects=False
        ) as answer:
            beginning = await _beginning(answer)
            return Outcome(
                status=answer.status,
                cause=judge(answer.status),
                answer=beginning,
                retry_after=answer.headers.get("Retry-After"),
            )


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """The first of the answer; what is longer than we read is cut off with its connection."""
    content = bytearray()
    async for part in answer.content.iter_any():
        content += part
        if len(content) > READ_BYTES:
            answer.close()
            break
    text = content[:KEPT_BYTES].decode(errors="replace").replace("\0", "")
    return text.encode()[:KEPT_BYTES].decode(errors="ignore")


def judge(status: int) -> Cause:
    """Only 200 to 299 is success; a redirect is a failure; 410 says that nobody is there any more."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "redirect"
    return "gone" if status == HTTPStatus.GONE else "status"


@asynccontextmanager
async def open_sender(guard: AddressGuard, *, timeout_seconds: float) -> AsyncIterator[Sender]:
    sender = Sender(guard, timeout_seconds=timeout_seconds)
    try:
        yield sender
    finally:
        await sender.close()
