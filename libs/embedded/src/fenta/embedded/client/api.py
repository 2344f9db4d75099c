"""Requests to the public REST interface, and its refusals as errors that carry a sentence."""

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]

TIMEOUT = httpx.Timeout(30, connect=5)
# A stream says every 15 s that it lives.
STREAM_TIMEOUT = httpx.Timeout(45, connect=5)
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)
LONGEST_WISH_SECONDS = 30.0
# Nothing was done, and the same request may be sent again.
LATER = {(409, "idempotency_in_flight"), (429, "rate_limited"), (503, "service_unavailable")}


class Unreachable(Exception):
    """Nobody answers at the address."""


class Refused(Exception):
    """The interface said no; what it said stands in the problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Json, *, wish_seconds: float = 0.0) -> None:
        self.status = status
        self.code: str = problem.get("code") or f"http_{status}"
        self.sentence: str = problem.get("detail") or problem.get("title") or f"The answer was {status}."
        self.hint: str | None = problem.get("hint")
        self.mistakes = _mistakes(problem)
        self.wish_seconds = wish_seconds
        super().__init__(f"{self.code}: {self.sentence}")

    @property
    def may_pass(self) -> bool:
        return (self.status, self.code) in LATER


def _mistakes(problem: Json) -> list[str]:
    """What is wrong field by field, unless that is what the sentence says anyway."""
    found = [one for one in problem.get("errors") or [] if one.get("detail") != problem.get("detail")]
    return [f"{one.get('pointer', '')}: {one.get('detail', '')}" for one in found]


class Api:
    """`url` is where the gateway answers, with or without `/v1`; `token` an access token or a session's."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=f"{self.url}/v1", headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Json:
        """Asks again after a moment where the answer may be another one then."""
        return self._patiently(lambda: self._once("GET", path, params=query))

    def post(self, path: str, body: Json | None = None, *, key: str | None = None, **query: str) -> Json:
        """With an idempotency key it is sent again when its answer was lost, since it happens once anyway."""
        headers = {"idempotency-key": key} if key else {}

        def once() -> Json:
            return self._once("POST", path, json=body, headers=headers, params=query)

        return self._patiently(once) if key else self._reaching(once)

    @contextlib.contextmanager
    def stream(self, path: str, *, after: int) -> Iterator[Iterator[str]]:
        """Lines of a stream from behind message `after` on. Raises Refused, or httpx.TransportError when it is cut."""
        headers = {"accept": "text/event-stream", "last-event-id": str(after)}
        with self._client.stream("GET", path, headers=headers, timeout=STREAM_TIMEOUT) as answer:
            if answer.is_error:
                answer.read()
                raise _refusal(answer)
            yield answer.iter_lines()

    def _once(self, method: str, path: str, **options: Any) -> Json:
        answer = self._client.request(method, path, **options)
        if answer.is_error:
            raise _refusal(answer)
        return _document(answer)

    def _patiently(self, once: Callable[[], Json]) -> Json:
        for pause in PAUSES_SECONDS:
            try:
                return once()
            except httpx.TransportError:
                time.sleep(pause)
            except Refused as problem:
                if not problem.may_pass:
                    raise
                time.sleep(max(pause, problem.wish_seconds))
        return self._reaching(once)

    def _reaching(self, once: Callable[[], Json]) -> Json:
        try:
            return once()
        except httpx.TransportError as error:
            raise Unreachable(f"Nobody answers at {self.url} ({type(error).__name__}).") from error


def _refusal(answer: httpx.Response) -> Refused:
    wish = answer.headers.get("retry-after", "")
    seconds = min(float(wish), LONGEST_WISH_SECONDS) if wish.isdigit() else 0.0
    return Refused(answer.status_code, _document(answer), wish_seconds=seconds)


def _document(answer: httpx.Response) -> Json:
    """The body; empty where it is none of ours, such as a proxy's page."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
