"""Access tokens of sessions: JWTs of 15 minutes (EdDSA) that only the gateway mints and reads."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from fenta.chassis.errors import Problem
from fenta.chassis.identity import Signer, Verifier, public_half

AUDIENCE = "gateway"
LIFETIME_SECONDS = 900


@dataclass(frozen=True)
class SessionClaims:
    person_id: str
    sign_in_id: str


class Sessions:
    """Mints and reads the JWTs."""

    def __init__(self, signing_keys: str, *, issuer: str) -> None:
        self.signer = Signer(signing_keys)
        self._public_keys = public_half(signing_keys)
        self._verifier = Verifier(self._public_keys)
        self._issuer = issuer

    def mint(self, person_id: str, sign_in_id: str) -> str:
        claims = {"iss": self._issuer, "aud": AUDIENCE, "sub": person_id, "sid": sign_in_id}
        return self.signer.sign(claims, lifetime_seconds=LIFETIME_SECONDS)

    def read(self, token: str) -> SessionClaims:
        """Raises `token_expired` or `authentication_required`."""
        claims = self._verifier.verify(token, audience=AUDIENCE)
        if claims.get("iss") != self._issuer or not isinstance(claims.get("sid"), str):
            raise Problem("authentication_required", "The token is not valid.")
        return SessionClaims(person_id=str(claims["sub"]), sign_in_id=claims["sid"])

    def jwks(self) -> dict[str, Any]:
        """The public keys as RFC 7517 and RFC 8037 write them."""
        return {"keys": [_jwk(kid, key) for kid, key in json.loads(self._public_keys).items()]}


def _jwk(kid: str, key: str) -> dict[str, str]:
    x = base64.urlsafe_b64encode(base64.b64decode(key)).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}
