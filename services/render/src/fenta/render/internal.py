"""The internal API: a plain render server for other teams, without gateway and workflow."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from pydantic import SecretStr
from starlette.background import BackgroundTask

from fenta.chassis.errors import Problem
from fenta.chassis.http import StrictRoute
from fenta.render.orders import Orders
from fenta.render.schemas import FileView, InternalRender, RenderOrder, file_href, internal_view_of

RENDERS, FILES = "/internal/renders", "/internal/files"
# A long film says a lot in its timeline: each word with its time.
ORDER_LIMIT_BYTES = 8 << 20
BYTES = "application/octet-stream"

Sha256 = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


def router(orders: Orders, *, key: SecretStr | None, folder: Path) -> APIRouter:
    """Routes for whoever has the key, or for this machine when there is none. `folder` takes files on their way."""
    routes = APIRouter(route_class=StrictRoute, include_in_schema=False, dependencies=[Depends(_bearer(key))])
    _add_renders(routes, orders)
    _add_files(routes, orders, folder)
    return routes


def _bearer(key: SecretStr | None) -> Callable[[Request], Awaitable[None]]:
    expected = f"Bearer {key.get_secret_value()}".encode() if key else None

    async def authorized(request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        # In the same time for every wrong key, however much of it is right.
        if expected is not None and not hmac.compare_digest(given, expected):
            raise Problem(
                "authentication_required",
                "This needs the key of the internal API.",
                hint="Send it as Authorization: Bearer ….",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return authorized


def _add_renders(routes: APIRouter, orders: Orders) -> None:
    @routes.post(RENDERS, status_code=202)
    async def place(order: RenderOrder, key: Key = None) -> InternalRender:
        if (order.timeline is None) == (order.template is None):
            raise Problem("source_ambiguous", "An order has either a timeline or a template.")
        return internal_view_of(await orders.place(order, key))

    @routes.get(f"{RENDERS}/{{render_id}}")
    async def get(render_id: str) -> InternalRender:
        return internal_view_of(await orders.get(render_id))

    @routes.delete(f"{RENDERS}/{{render_id}}", status_code=202)
    async def cancel(render_id: str) -> InternalRender:
        return internal_view_of(await orders.cancel(render_id))


def _add_files(routes: APIRouter, orders: Orders, folder: Path) -> None:
    @routes.post(FILES, status_code=201)
    async def upload(request: Request) -> FileView:
        if request.headers.get("content-type") != BYTES:
            raise Problem("unsupported_media_type", "A file comes as it is.", hint=f"Send content-type: {BYTES}.")
        path = _passing(folder)
        try:
            await _receive(request, path)
            sha256 = await orders.keep(path)
            return FileView(sha256=sha256, size_bytes=path.stat().st_size, href=file_href(sha256))
        finally:
            path.unlink(missing_ok=True)

    @routes.get(f"{FILES}/{{sha256}}")
    async def download(sha256: Sha256) -> Response:
        path = await orders.fetch(sha256, _passing(folder))
        return FileResponse(path, media_type=BYTES, background=BackgroundTask(path.unlink, missing_ok=True))


def _passing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / uuid4().hex


async def _receive(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)
