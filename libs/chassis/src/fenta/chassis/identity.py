"""Who asks: a token of one minute that the gateway signs and the services verify (EdDSA, Ed25519)."""

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fenta.chassis.errors import Problem

HEADER = "Fenta-Identity"
LIFETIME_SECONDS = 60
ALGORITHM = "EdDSA"
ROLES = ("viewer", "editor", "admin", "owner")


@dataclass(frozen=True)
class Identity:
    """The caller of a request. `new_id` is the UUID that a created thing must take, so that a repeat finds it."""

    org_id: str
    user_id: str
    role: str
    scopes: tuple[str, ...] = field(default_factory=tuple)
    plan: str = "free"
    credential: str = "session"
    request_id: str = ""
    new_id: str | None = None

    def require(self, scope: str, role: str = "viewer") -> None:
        """Raises `scope_required` or `role_required`."""
        if not self.has_scope(scope):
            raise Problem("scope_required", f"This needs the scope {scope}.", extra={"scope": scope})
        if ROLES.index(self.role) < ROLES.index(role):
            raise Problem("role_required", f"This needs the role {role}.", extra={"role": role})

    def has_scope(self, scope: str) -> bool:
        every_read = "read" in self.scopes and scope.endswith(":read") and scope not in ("audit:read", "billing:read")
        return "*" in self.scopes or scope in self.scopes or every_read


def new_signing_keys() -> str:
    """A fresh key set as JSON: `{kid: base64 of the private key}`; the first one signs."""
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    return json.dumps({f"k{int(time.time())}": base64.b64encode(raw).decode()})


def public_half(signing_keys: str) -> str:
    """What the services get: `{kid: base64 of the public key}`."""
    private = {kid: Ed25519PrivateKey.from_private_bytes(base64.b64decode(key)) for kid, key in _keys(signing_keys)}
    return json.dumps(
        {kid: base64.b64encode(key.public_key().public_bytes_raw()).decode() for kid, key in private.items()}
    )


def _keys(document: str) -> list[tuple[str, str]]:
    return list(json.loads(document).items())


class Signer:
    """Mints tokens; only the gateway has one."""

    def __init__(self, signing_keys: str) -> None:
        self._kid, key = _keys(signing_keys)[0]
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key))

    def sign(self, claims: dict[str, Any], *, lifetime_seconds: float) -> str:
        now = int(time.time())
        return jwt.encode(
            {**claims, "iat": now, "exp": now + int(lifetime_seconds)},
            self._key,
            algorithm=ALGORITHM,
            headers={"kid": self._kid},
        )

    def sign_identity(self, identity: Identity, *, audience: str) -> str:
        claims = {name: value for name, value in vars(identity).items() if value is not None}
        return self.sign(claims | {"aud": audience}, lifetime_seconds=LIFETIME_SECONDS)


class Verifier:
    """Checks tokens by key id. Without keys every token is refused."""

    def __init__(self, public_keys: str | None) -> None:
        self._keys = {
            kid: Ed25519PublicKey.from_public_bytes(base64.b64decode(key)) for kid, key in _keys(public_keys or "{}")
        }

    def verify(self, token: str, *, audience: str) -> dict[str, Any]:
        """The claims. Raises `token_expired` or `authentication_required`."""
        try:
            key = self._keys[jwt.get_unverified_header(token).get("kid", "")]
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=audience, leeway=5, options={"require": ["exp", "aud"]}
            )
        except jwt.ExpiredSignatureError as error:
            raise Problem("token_expired", "The token has expired.", hint="Refresh it.") from error
        except (jwt.InvalidTokenError, KeyError) as error:
            raise Problem("authentication_required", "The token is not valid.") from error
        return claims

    def identity(self, token: str | None, *, audience: str) -> Identity:
        if not token:
            raise Problem("authentication_required", "This service answers the gateway only.")
        claims = self.verify(token, audience=audience)
        known = {name: claims[name] for name in Identity.__dataclass_fields__ if name in claims}
        return Identity(**known | {"scopes": tuple(claims.get("scopes", ()))})
