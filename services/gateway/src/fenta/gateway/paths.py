"""How a public path is spelled, and which ones need no credential."""

import re
from urllib.parse import quote

_OLD_SPELLING = re.compile(r"^/api(?:/v1)?(?=/)")

SIGN_IN = frozenset({"/v1/auth/register", "/v1/auth/login"})
OPEN = SIGN_IN | {"/v1/auth/refresh", "/v1/auth/logout"}


def canonical(path: str) -> str:
    """`/api/v1/x` and `/api/x` are `/v1/x`."""
    return _OLD_SPELLING.sub("/v1", path, count=1)


def is_sound(path: str) -> bool:
    """No control characters, and no dot segments, which somebody further in might resolve to another place."""
    return path.isprintable() and {".", ".."}.isdisjoint(path.split("/"))


def raw(path: str) -> bytes:
    """As it stands in a request line."""
    return quote(path, safe="/:@!$&'()*+,;=~").encode()
