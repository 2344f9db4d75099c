"""What the gateway's routes share: who asks."""

from typing import Any

from fastapi import Depends, Request

from fenta.chassis.errors import NotFound, Problem
from fenta.chassis.identity import Identity


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
