"""The HTTP side of a service: strict bodies, problem documents, request ids, limits, and who asks."""

import asyncio
import contextlib
import difflib
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fenta.chassis import telemetry
from fenta.chassis.database import DATABASE_ERRORS, is_passing
from fenta.chassis.description import DescribedApp
from fenta.chassis.errors import Problem, TransientError
from fenta.chassis.findings import invalid
from fenta.chassis.identity import HEADER, Identity, Verifier
from fenta.chassis.telemetry import log, trace
from fenta.contracts.ids import new_id

BODY_LIMIT_BYTES = 1024 * 1024
DISCARDED_BYTES = 16 * BODY_LIMIT_BYTES
DISCARD_SECONDS = 5.0
DEEPEST_BODY = 32
STATUS_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
}


class Body(BaseModel):
    """A request body: closed, and a number in quotes is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


class StrictRequest(Request):
    """Reads JSON as RFC 8259 has it: no duplicate keys, no NaN, no NUL, no lone surrogates."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route that refuses query names it does not know, and whose body must say that it is JSON, and be JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = set(_query_names(self.dependant))

        async def strictly(request: Request) -> Response:
            _require_known(request, known)
            strict = StrictRequest(request.scope, request.receive)
            if self.body_field is not None and _has_body(request) and await strict.body():
                _require_json(request)
                # Read here, since FastAPI would hide the reason behind a sentence of its own.
                await strict.json()
            return await handle(strict)

        return strictly


def _query_names(dependant: Dependant) -> Iterator[str]:
    """The query names of a route and of what it depends on; a model stands for its fields."""
    for parameter in dependant.query_params:
        shape = parameter.field_info.annotation
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            yield from (field.alias or name for name, field in shape.model_fields.items())
        else:
            yield parameter.alias
    for deeper in dependant.dependencies:
        yield from _query_names(deeper)


def _require_known(request: Request, known: set[str]) -> None:
    strangers = [name for name in request.query_params if name not in known]
    if strangers:
        nearest = difflib.get_close_matches(strangers[0], sorted(known), n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known here: {', '.join(sorted(known)) or 'none'}."
        raise Problem("unknown_parameter", f"There is no parameter {strangers[0][:100]}.", hint=hint)


def _has_body(request: Request) -> bool:
    """Where a body is optional, sending none is no mistake; where it is not, validation says what is missing."""
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(
            "unsupported_media_type",
            f"The body is {media_type or 'of no stated type'}.",
            hint="Send content-type: application/json.",
        )


def read_json(body: bytes) -> Any:
    """Parse strictly. Raises `invalid_json` with the reason."""
    try:
        value = json.loads(body, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Problem("invalid_json", f"The body could not be read: {error}"[:300]) from error
    _inspect(value, 0)
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _inspect(value: Any, depth: int) -> None:
    if depth > DEEPEST_BODY:
        raise Problem("invalid_json", f"The body is nested deeper than {DEEPEST_BODY} levels.")
    if isinstance(value, str) and "\0" in value:
        raise Problem("invalid_json", "The body holds a NUL character.")
    if isinstance(value, dict):
        _inspect(list(value.keys()), depth)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _inspect(item, depth + 1)


def create_app(
    service: str,
    *,
    verifier: Verifier | None = None,
    body_limit: int = BODY_LIMIT_BYTES,
    larger: Mapping[str, int] | None = None,
) -> FastAPI:
    """A FastAPI app with our manners; routes are added by the service. `larger` has the limits of single paths."""
    app = DescribedApp(
        title=f"Fenta {service}", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json"
    )
    app.router.route_class = StrictRoute
    app.state.service = service
    app.state.verifier = verifier or Verifier(None)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(TransientError, _on_away)
    for passing in (ConnectionError, TimeoutError, PoolTimeout):
        app.add_exception_handler(passing, _on_away)
    for maybe in DATABASE_ERRORS:
        app.add_exception_handler(maybe, _on_database)
    app.add_middleware(Manners, service=service, body_limit=body_limit, larger=larger or {})
    return app


def caller(scope: str, role: str = "viewer") -> Any:
    """A dependency: the identity behind the request, which must have this scope and at least this role."""

    async def identify(request: Request) -> Identity:
        state = request.app.state
        identity: Identity = state.verifier.identity(request.headers.get(HEADER), audience=state.service)
        identity.require(scope, role)
        structlog.contextvars.bind_contextvars(org_id=identity.org_id, user_id=identity.user_id)
        return identity

    return Depends(identify)


def problem_response(request: Request, problem: Problem) -> Response:
    document = problem.document(instance=request.url.path, request_id=request.scope.get("request_id", ""))
    return JSONResponse(
        document, status_code=problem.status, headers=problem.headers, media_type="application/problem+json"
    )


async def _on_problem(request: Request, error: Exception) -> Response:
    return problem_response(request, error if isinstance(error, Problem) else Problem("internal_error", str(error)))


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = STATUS_CODES.get(status, "internal_error")
    detail = {404: f"There is nothing at {request.url.path}.", 405: f"{request.method} is not answered here."}
    headers = dict(getattr(error, "headers", None) or {})
    return problem_response(request, Problem(code, detail.get(status, "The request was refused."), headers=headers))


async def _on_away(request: Request, error: Exception) -> Response:
    log.warning("request.unavailable", error=f"{type(error).__name__}: {error}")
    problem = Problem("service_unavailable", "A part this needs is away.", headers={"Retry-After": "5"})
    return problem_response(request, problem)


async def _on_database(request: Request, error: Exception) -> Response:
    if is_passing(error):
        return await _on_away(request, error)
    raise error


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    field = getattr(request.scope.get("route"), "body_field", None)
    return problem_response(request, invalid(error.errors(), model=field.field_info.annotation if field else None))


class Manners:
    """Around every request: an id, a trace, a size limit, one line in the log, one number in the metrics."""

    def __init__(self, app: ASGIApp, *, service: str, body_limit: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._service = service
        self._limit, self._larger = body_limit, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("request-id", "")
        scope["request_id"] = given if given.startswith("req_") and len(given) <= 64 else new_id("req")
        structlog.contextvars.clear_contextvars()
        with trace(headers.get("traceparent"), request_id=scope["request_id"]):
            await self._serve(scope, receive, send)
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status, answering = time.perf_counter(), 500, False

        async def answer(message: Message) -> None:
            nonlocal status, answering
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
                _dress(message, scope["request_id"])
            await send(message)

        try:
            await self._limited(scope, receive, answer)
        except Exception as error:
            log.exception("request.broken", error=f"{type(error).__name__}: {error}")
            if answering:
                raise  # half an answer is out: the connection is cut, so that nobody takes it for whole
            await _broken(scope, answer)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "0")
        limit = self._larger.get(scope["path"], self._limit)
        if length.isdigit() and int(length) > limit:
            return await _too_large(scope, receive, send, limit)
        return await self._app(scope, _counted(receive, limit), send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        telemetry.http_request_seconds.labels(self._service, scope["method"], route, str(status)).observe(seconds)
        if route not in ("/livez", "/readyz"):
            log.info(
                "request.served",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round(seconds * 1000, 1),
            )


def _dress(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["Request-Id"] = request_id
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("X-Content-Type-Options", "nosniff")


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            await _hear_out(receive)
            raise Problem("body_too_large", f"The body is larger than {limit} bytes.")
        return message

    return counted


async def _too_large(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    await _hear_out(receive)
    problem = Problem("body_too_large", f"The body is larger than {limit} bytes.", headers={"Connection": "close"})
    await problem_response(Request(scope), problem)(scope, receive, send)


async def _hear_out(receive: Receive) -> None:
    """Take what is still coming, within reason: a connection closed on unread bytes takes the answer with it."""
    left = DISCARDED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _broken(scope: Scope, send: Send) -> None:
    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    problem = Problem("internal_error", "Something went wrong on our side; it was logged.")
    await problem_response(Request(scope), problem)(scope, nothing, send)
