"""What needs no sign-in: the description, its page, the keys, the version, and how the services are."""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from fenta.chassis.http import StrictRoute
from fenta.gateway.access.sessions import Sessions
from fenta.gateway.catalogue.service import Catalogue

PAGES = {
    "": ("docs.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def router(sessions: Sessions, catalogue: Catalogue, *, version: str) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)

    @routes.get("/.well-known/jwks.json", summary="The public keys of our tokens")
    async def jwks() -> JSONResponse:
        return JSONResponse(sessions.jwks(), headers={"Cache-Control": "public, max-age=300"})

    @routes.get("/v1/version", summary="Which version runs")
    async def get_version() -> dict[str, str]:
        return {"version": version, "api": "v1"}

    @routes.get("/v1/status", summary="How each service is")
    async def status() -> dict[str, Any]:
        return await catalogue.status()

    @routes.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(await catalogue.openapi())

    for ending, (name, media_type) in PAGES.items():
        routes.add_api_route(f"/v1/docs{ending}", _page(name, media_type), methods=["GET"], include_in_schema=False)
    return routes


def _page(name: str, media_type: str) -> Any:
    content = files("fenta.gateway").joinpath("catalogue", "pages", name).read_bytes()

    async def page(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=PAGE_HEADERS)

    return page
