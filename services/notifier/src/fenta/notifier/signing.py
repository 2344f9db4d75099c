"""Signatures of a webhook: Standard Webhooks over id, time and body; and plain hex over the body."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """The secret as its owner sees it, once."""
    return PREFIX + base64.b64encode(secret).decode()


def key_of(secret: str) -> bytes:
    """The bytes behind `whsec_`. Raises ValueError for anything else."""
    if not secret.startswith(PREFIX):
        raise ValueError("a secret begins with whsec_")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise ValueError("a secret is base64 behind whsec_") from error


def headers(secret: str, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What goes with these very bytes; `timestamp` is in seconds."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": standard_signature(secret, message_id=message_id, timestamp=timestamp, body=body),
        "Fenta-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


def standard_signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()
