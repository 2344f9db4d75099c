"""What happens before any route: the path's spelling, the credential, the limits, and keys of repeated requests."""

from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fenta.chassis.identity import Identity
from fenta.contracts.routes import owner_of
from fenta.gateway import paths
from fenta.gateway.access.addresses import Network, client_address
from fenta.gateway.access.door import Door, Refused
from fenta.gateway.idempotency import Idempotency

NOBODY = "-"


class Entrance:
    """ASGI middleware, inside the chassis's manners and error handlers.

    Routes find the caller in `request.state.identity`, and `request.state.repeated` when an earlier try with the
    same key may have made something.
    """

    def __init__(self, app: ASGIApp, *, door: Door, idempotency: Idempotency, proxies: Sequence[Network]) -> None:
        self._app = app
        self._door = door
        self._idempotency = idempotency
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        _respell(scope)
        path = scope["path"]
        state = scope.setdefault("state", {})
        state["address"] = self._address(scope)
        if path in paths.OPEN:
            return await self._welcome(scope, receive, send)
        if owner_of(path) is None or not paths.is_sound(path):
            return await self._app(scope, receive, send)
        return await self._admit(scope, receive, send)

    async def _welcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Nobody is known yet; tries to sign in are counted by address."""
        address = scope["state"]["address"]
        if scope["path"] in paths.SIGN_IN and scope["method"] == "POST":
            await self._door.admit_sign_in(address)
        if scope["path"] == "/v1/auth/register":
            stranger = Identity(org_id=NOBODY, user_id=address, role="viewer")
            return await self._idempotency(self._app, stranger, scope, receive, send)
        return await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            guest = await self._door.admit(
                headers.get("authorization"), org_id=headers.get("fenta-org"), request_id=scope["request_id"]
            )
        except Refused as refusal:
            raise refusal.problem from None
        identity = guest.identity
        scope["state"]["identity"] = identity
        structlog.contextvars.bind_contextvars(org_id=identity.org_id, user_id=identity.user_id)
        await self._idempotency(self._app, identity, scope, receive, _adding(send, guest.headers))

    def _address(self, scope: Scope) -> str:
        peer = (scope.get("client") or ("unknown", 0))[0]
        return client_address(peer, Headers(scope=scope).get("x-forwarded-for", ""), self._proxies)


def _respell(scope: Scope) -> None:
    path = paths.canonical(scope["path"])
    if path != scope["path"]:
        scope["path"], scope["raw_path"] = path, paths.raw(path)


def _adding(send: Send, fields: dict[str, str]) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(fields)
        await send(message)

    return answer
