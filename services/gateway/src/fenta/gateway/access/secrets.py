"""Secrets we hand out: 256 random bits behind a findable prefix, kept only as SHA-256."""

import hashlib
import secrets
import zlib

ACCESS_PREFIX = "fenta_pat_"
REFRESH_PREFIX = "fenta_rt_"
CHECKSUM_LENGTH = 8


def new_access_secret() -> str:
    """With a checksum at the end, so that a mistyped or truncated one costs no look-up and scanners can be sure."""
    body = ACCESS_PREFIX + secrets.token_hex(32)
    return body + _checksum(body)


def new_refresh_secret() -> str:
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def is_access_secret(secret: str) -> bool:
    """Whether it has our form and its checksum fits; says nothing of whether it was ever made."""
    body, checksum = secret[:-CHECKSUM_LENGTH], secret[-CHECKSUM_LENGTH:]
    return secret.startswith(ACCESS_PREFIX) and len(body) == len(ACCESS_PREFIX) + 64 and checksum == _checksum(body)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
