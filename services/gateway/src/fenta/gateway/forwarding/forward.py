"""Passes a request to the service that owns its path, and the answer back, both as they stream."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fenta.chassis.identity import Identity
from fenta.gateway import paths
from fenta.gateway.forwarding import headers
from fenta.gateway.forwarding.owners import Answer, Owners


async def forward(owners: Owners, owner: str, request: Request, *, body: bytes | None = None) -> Response:
    """The owner's answer. `body` is given where it was read already. Raises `service_unavailable`, `timeout`."""
    identity: Identity = request.state.identity
    stack = AsyncExitStack()
    try:
        answer = await stack.enter_async_context(
            owners.call(
                owner,
                request.method,
                paths.raw(request.scope["path"]).decode(),
                query=request.scope["query_string"].decode("ascii", errors="replace"),
                identity=identity,
                headers=headers.inward(request.headers, request_id=identity.request_id),
                body=_body(request) if body is None else body,
            )
        )
    except BaseException:
        await stack.aclose()
        raise
    return _response(answer.status, list(answer.headers.items()), _stream(stack, answer))


def passed_on(answer: Answer) -> Response:
    """An owner's whole answer as our own."""
    response = Response(answer.body, status_code=answer.status)
    _dress(response, answer.headers)
    return response


def _body(request: Request) -> AsyncIterator[bytes] | None:
    """Nothing where the client said that it sends nothing; a stream, whatever its length, otherwise."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return request.stream() if has_body else None


def _response(status: int, fields: list[tuple[str, str]], chunks: AsyncIterator[bytes]) -> Response:
    response = StreamingResponse(chunks, status_code=status)
    _dress(response, fields)
    return response


def _dress(response: Response, fields: list[tuple[str, str]]) -> None:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.outward(fields)]
    ours = {name for name, _ in pairs}
    response.raw_headers = pairs + [pair for pair in response.raw_headers if pair[0] not in ours]


async def _stream(stack: AsyncExitStack, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """An owner that dies in the middle breaks our answer off too, so that nobody takes a part for the whole."""
    async with stack:
        async for chunk in answer.content.iter_any():
            yield chunk
