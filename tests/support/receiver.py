"""A subscriber's web server that keeps what it was sent and checks the signatures as the guide tells."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def signed_by(self, secret: str) -> bool:
        """Both signatures, from the raw bytes."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.webhook_id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        standard = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        simple = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return standard in self.headers["webhook-signature"].split() and self.headers["fenta-signature"] == simple


class Receiver:
    """Answers 204 and remembers; `status` makes it answer something else."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 204
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator["Receiver"]:
        receiver = cls()
        app = web.Application()
        app.router.add_post("/", receiver._take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        receiver.url = f"http://{host}:{port}/"
        try:
            yield receiver
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers, await request.read()))
        return web.Response(status=self.status)

    def of(self, kind: str) -> list[Received]:
        return [received for received in self.received if received.event["type"] == kind]

    def ids_per_event(self) -> Counter[str]:
        """How many different webhook ids tell of one thing: each must be one."""
        seen = {(item.event["type"], item.event["subject"], item.webhook_id) for item in self.received}
        return Counter(f"{kind} {subject}" for kind, subject, _ in seen)

    async def until(self, kind: str, seconds: float = 30) -> Received:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if found := self.of(kind):
                return found[0]
            await asyncio.sleep(0.02)
        raise AssertionError(f"{kind} did not come; {[item.event['type'] for item in self.received]} did")
