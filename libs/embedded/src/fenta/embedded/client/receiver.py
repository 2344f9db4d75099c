"""A small webhook receiver on this machine: checks each signature, keeps what came, and lets one wait for an event."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from fenta.embedded.processes import HOST

TOLERANCE_SECONDS = 300
LARGEST_BODY_BYTES = 1024 * 1024
SILENT_SENDER_SECONDS = 10


class BadDelivery(Exception):
    """Not from whom it says, changed on its way, or too old."""


def verify(headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None) -> dict[str, Any]:
    """The event behind a delivery that Standard Webhooks' rules let pass. Raises BadDelivery."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs((time.time() if now is None else now) - int(sent_at)) > TOLERANCE_SECONDS:
        raise BadDelivery("The delivery is too old, or from the future.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{sent_at}.".encode() + body
    good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split()
    # Each is compared in constant time, as bytes, since a stranger may send anything.
    if not any(hmac.compare_digest(good.encode(), one.encode()) for one in given):
        raise BadDelivery("The signature does not fit the body.")
    event: dict[str, Any] = json.loads(body)
    return event


@dataclass(frozen=True)
class Delivery:
    """A delivery whose signature was right; `id` is the same at each attempt."""

    id: str
    event: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.event["type"])


class Receiver:
    """Listens on 127.0.0.1 while it is open; `secret` is known once the webhook is registered."""

    def __init__(self) -> None:
        self.secret: str | None = None
        self.deliveries: list[Delivery] = []
        self.refused: list[str] = []
        self._news = threading.Condition()
        self._server = ThreadingHTTPServer((HOST, 0), _handler_for(self.take))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status to answer with."""
        if self.secret is None:
            return 503
        with self._news:
            try:
                event = verify(headers, body, self.secret)
            except BadDelivery as problem:
                self.refused.append(str(problem))
                return 400
            self.deliveries.append(Delivery(headers["webhook-id"], event))
            self._news.notify_all()
        return 204

    def wait_for(self, type_: str, *, subject: str, seconds: float) -> Delivery | None:
        """The first delivery of this type about this subject; None when it has not come in time."""

        def find() -> Delivery | None:
            fitting = (one for one in self.deliveries if one.type == type_ and one.event["subject"] == subject)
            return next(fitting, None)

        with self._news:
            self._news.wait_for(lambda: find() is not None, timeout=seconds)
            return find()


def _handler_for(take: Callable[[Mapping[str, str], bytes], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENT_SENDER_SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
                return self._answer(413)
            body = self.rfile.read(int(length))
            return self._answer(take({name.lower(): value for name, value in self.headers.items()}, body))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """What matters is said by the command that listens."""

    return Handler
