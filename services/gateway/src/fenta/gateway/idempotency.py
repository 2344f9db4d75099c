"""What is sent twice happens once: a POST with an Idempotency-Key is answered again instead of being done again."""

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database
from fenta.chassis.errors import Conflict, Problem
from fenta.chassis.identity import Identity
from fenta.contracts.ids import uuid7
from fenta.gateway import metrics
from fenta.gateway.models import KeyClaim, StoredAnswer
from fenta.gateway.repository import keys

LONGEST_KEY = 255
SECRET_FIELDS = frozenset({"secret", "token", "access_token", "refresh_token"})
KEPT_HEADERS = ("content-type", "location")


class Idempotency:
    """Claims keys, runs the request if it is ours, stores what it answered."""

    def __init__(self, *, database: Database, instance_id: str, held_seconds: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._held_seconds = held_seconds

    async def start(self) -> None:
        """Give back what an earlier life of this process held, so that nobody waits for it."""
        async with self._database.transaction() as session:
            await keys.release_keys_of(session, self._instance_id)

    async def __call__(self, app: ASGIApp, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("idempotency-key")
        if key is None or scope["method"] != "POST":
            return await app(scope, receive, send)
        _require_valid(key)
        body = await _read(receive)
        place = {
            "org_id": identity.org_id,
            "person_id": identity.user_id,
            "method": scope["method"],
            "path": scope["path"],
            "key": key,
        }
        run = Run(app, identity, place, holder=f"{self._instance_id}:{uuid7()}", body=body)
        return await self._run(run, scope, send)

    async def _run(self, run: "Run", scope: Scope, send: Send) -> None:
        fingerprint = hashlib.sha256(scope.get("query_string", b"") + b"\n" + run.body).digest()
        async with self._database.transaction() as session:
            claim = await keys.claim_key(
                session,
                run.place,
                request_hash=fingerprint,
                new_id=uuid7(),
                holder=run.holder,
                seconds=self._held_seconds,
            )
        if claim.taken:
            crash_point("idempotency.claimed")
            return await self._perform(run, claim, scope, send)
        answer = _earlier_answer(claim, fingerprint)
        metrics.replayed.inc()
        return await _replay(answer, send)

    async def _perform(self, run: "Run", claim: KeyClaim, scope: Scope, send: Send) -> None:
        """Hold the answer back until it is stored: whoever has seen it may rely on the replay."""
        status, messages = 500, list[Message]()
        try:
            status, messages = await run(claim, scope)
            crash_point("idempotency.answered")
        finally:
            await self._settle(run, status, messages)
        crash_point("idempotency.stored")
        for message in messages:
            await send(message)

    async def _settle(self, run: "Run", status: int, messages: list[Message]) -> None:
        async with self._database.transaction() as session:
            if 200 <= status < 300:
                await keys.store_answer(session, run.place, run.holder, _to_store(status, messages))
            elif status < 500:
                await keys.forget_key(session, run.place, run.holder)
            else:
                await keys.release_key(session, run.place, run.holder)


class Run:
    """One request under one key."""

    def __init__(self, app: ASGIApp, identity: Identity, place: keys.Place, *, holder: str, body: bytes) -> None:
        self._app = app
        self._identity = identity
        self.place = place
        self.holder = holder
        self.body = body

    async def __call__(self, claim: KeyClaim, scope: Scope) -> tuple[int, list[Message]]:
        """Status and messages of the answer."""
        scope["state"]["identity"] = replace(self._identity, new_id=str(claim.new_id))
        scope["state"]["repeated"] = not claim.fresh
        messages: list[Message] = []
        given = False

        async def receive() -> Message:
            nonlocal given
            if given:
                # The client may go away; the work goes on, so that its answer is there for the next try.
                await asyncio.Event().wait()
            given = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return next(message["status"] for message in messages if "status" in message), messages


def _require_valid(key: str) -> None:
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Problem("idempotency_key_invalid", "An Idempotency-Key is 1 to 255 printable ASCII characters.")


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(parts)


def _earlier_answer(claim: KeyClaim, fingerprint: bytes) -> StoredAnswer:
    if claim.request_hash != fingerprint:
        raise Problem(
            "idempotency_key_reused", "This key was used for another request.", hint="Take a new key for a new request."
        )
    if claim.answer is None:
        raise Conflict(
            "idempotency_in_flight", "The first request with this key still runs.", headers={"Retry-After": "1"}
        )
    return claim.answer


def _to_store(status: int, messages: list[Message]) -> StoredAnswer:
    headers = Headers(raw=next(message["headers"] for message in messages if "headers" in message))
    body = b"".join(message.get("body", b"") for message in messages)
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    return StoredAnswer(status, kept, without_secrets(body))


def without_secrets(body: bytes) -> bytes:
    """The same JSON without fields that are shown only once; what is not JSON is not kept at all."""
    try:
        return json.dumps(_clean(json.loads(body)), ensure_ascii=False, separators=(",", ":")).encode() if body else b""
    except ValueError:
        return b""


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items() if name not in SECRET_FIELDS}
    return [_clean(item) for item in value] if isinstance(value, list) else value


async def _replay(answer: StoredAnswer, send: Send) -> None:
    headers = answer.headers | {"idempotency-replayed": "true"}
    if answer.status != 204:
        headers["content-length"] = str(len(answer.body))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})
