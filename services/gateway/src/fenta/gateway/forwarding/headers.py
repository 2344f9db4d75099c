"""Which header fields cross the gateway."""

from collections.abc import Iterable, Mapping

from fenta.chassis.telemetry import traceparent

# Everything else stays outside: Host, cookies, credentials, and any Fenta-Identity a client made up.
PASSED_ON = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "content-length", "content-type", "content-encoding",
        "idempotency-key", "if-match", "if-none-match", "if-modified-since", "last-event-id", "prefer", "range",
        "user-agent",
    }
)  # fmt: skip

# Hop-by-hop (RFC 9110, 7.6.1), and what our own server and manners write.
KEPT_BACK = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "set-cookie", "server", "date", "request-id", "ratelimit", "ratelimit-policy",
    }
)  # fmt: skip


def inward(headers: Mapping[str, str], *, request_id: str) -> dict[str, str]:
    """What the owner gets of a client's fields, with our request id and trace."""
    named = _named_by_connection(headers.get("connection", ""))
    kept = {name: value for name, value in headers.items() if name.lower() in PASSED_ON - named}
    trace = traceparent.get()
    return kept | {"Request-Id": request_id} | ({"traceparent": trace} if trace else {})


def outward(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the client gets of an owner's fields."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = _named_by_connection(next((value for name, value in pairs if name == "connection"), ""))
    return [(name, value) for name, value in pairs if name not in KEPT_BACK | named]


def _named_by_connection(value: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in value.split(",") if part.strip())
