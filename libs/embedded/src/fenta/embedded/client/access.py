"""A user and an access token of a stack on this machine, made once through the public interface and kept."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fenta.embedded.processes import write_atomically

from .api import Api, Refused

UNAUTHORIZED = 401
WRITES = ("projects", "assets", "jobs", "scripts", "workflows", "templates", "webhooks", "assistant")
SCOPES = ["read", *(f"{name}:write" for name in WRITES)]


@dataclass(frozen=True)
class Access:
    """Who one is, and the token for programs."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)


def register(url: str) -> Access:
    """A new user with an organisation of their own, and a token of theirs."""
    # The name is random because a kept one may be lost while the stack still knows it.
    email, password = f"you-{secrets.token_hex(4)}@fenta.example", secrets.token_urlsafe(24)
    with Api(url) as api:
        session = api.post("/auth/register", {"email": email, "password": password, "name": "You"})
    with Api(url, session["access_token"]) as api:
        token = api.post("/access-tokens", {"name": "This machine", "scopes": SCOPES})["token"]
    return Access(email=email, password=password, token=token)


def kept_access(url: str, path: Path) -> Access:
    """The access kept at `path`; a new one where there is none, or where the stack does not know it any more."""
    kept = read_access(path)
    if kept is None or not _works(url, kept):
        kept = register(url)
        write_atomically(path, json.dumps(asdict(kept), indent=2), mode=0o600)
    return kept


def read_access(path: Path) -> Access | None:
    return Access(**json.loads(path.read_text())) if path.exists() else None


def _works(url: str, access: Access) -> bool:
    try:
        with Api(url, access.token) as api:
            api.get("/me")
    except Refused as problem:
        if problem.status == UNAUTHORIZED:
            return False
        raise
    return True
