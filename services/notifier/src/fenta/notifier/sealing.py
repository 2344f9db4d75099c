"""Secrets at rest: AES-256-GCM under a named key, bound to the row they belong to."""

import base64
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32


class CannotOpen(Exception):
    """The secret was sealed with a key that is not there, or for another row."""


@dataclass(frozen=True)
class Sealed:
    key_id: str
    box: bytes


class Keyring:
    """Keys by id; the first one seals, all of them open."""

    def __init__(self, text: str) -> None:
        """`text` is `id:base64,id:base64`. Raises ValueError."""
        self._keys = dict(_key(part.strip()) for part in text.split(",") if part.strip())
        if not self._keys:
            raise ValueError("there is no key; write id:base64 of 32 bytes")
        self._first = next(iter(self._keys))

    def seal(self, secret: bytes, *, owner: str) -> Sealed:
        """`owner` names organisation and row; the box opens for it alone."""
        nonce = os.urandom(NONCE_BYTES)
        box = nonce + AESGCM(self._keys[self._first]).encrypt(nonce, secret, owner.encode())
        return Sealed(self._first, box)

    def open(self, sealed: Sealed, *, owner: str) -> bytes:
        """Raises `CannotOpen`."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise CannotOpen(f"there is no key {sealed.key_id}")
        try:
            return AESGCM(key).decrypt(sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:], owner.encode())
        except InvalidTag as error:
            raise CannotOpen(f"the secret of {owner} does not open with key {sealed.key_id}") from error


def _key(part: str) -> tuple[str, bytes]:
    name, _, encoded = part.partition(":")
    key = base64.b64decode(encoded, validate=True)
    if not name or len(key) != KEY_BYTES:
        raise ValueError("a key is written id:base64, and is 32 bytes long")
    return name, key
