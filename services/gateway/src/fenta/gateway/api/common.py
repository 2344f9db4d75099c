"""What the gateway's routes share: who asks, and query names that nobody knows."""

import difflib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Depends, Request
from starlette.responses import Response

from fenta.chassis.errors import NotFound, Problem
from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import Identity


class GatewayRoute(StrictRoute):
    """A route that refuses query names it does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def closed(request: Request) -> Response:
            _require_known(request, known)
            return await handle(request)

        return closed


def _require_known(request: Request, known: set[str]) -> None:
    strangers = [name for name in request.query_params if name not in known]
    if strangers:
        nearest = difflib.get_close_matches(strangers[0], sorted(known), n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known here: {', '.join(sorted(known)) or 'none'}."
        raise Problem("unknown_parameter", f"There is no parameter {strangers[0][:100]}.", hint=hint)


def identity_of(request: Request) -> Identity:
    """The caller, whom the entrance has admitted."""
    identity: Identity | None = getattr(request.state, "identity", None)
    if identity is None:
        raise NotFound("page")
    return identity


def asking(scope: str | None = None, role: str = "viewer") -> Any:
    """A dependency: the caller, who must have this scope and at least this role."""

    def identify(request: Request) -> Identity:
        identity = identity_of(request)
        if scope:
            identity.require(scope, role)
        return identity

    return Depends(identify)


def in_session() -> Any:
    """A dependency: a person who signed in, not a token."""

    def identify(request: Request) -> Identity:
        identity = identity_of(request)
        if identity.credential != "session":
            raise Problem("session_required", "Only a signed-in person may do this, not an access token.")
        return identity

    return Depends(identify)
