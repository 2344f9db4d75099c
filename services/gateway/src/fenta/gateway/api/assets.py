"""The asset library: lists, one asset, and links to its bytes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import Identity
from fenta.contracts.ids import ID_PATTERN
from fenta.gateway.api.common import asking
from fenta.gateway.assets.service import Assets
from fenta.gateway.models import LibraryAsset
from fenta.gateway.schemas import AssetList, AssetView, LinkView

LINK_SECONDS = 3600

Reader = Annotated[Identity, asking("assets:read")]
Type = Literal["image", "video", "audio", "subtitle", "font", "document", "other"]
Lifetime = Annotated[int, Query(ge=60, le=86_400, description="seconds the link works")]


def router(assets: Assets) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)

    def view(asset: LibraryAsset) -> AssetView:
        until = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
        return AssetView.of(asset, url=assets.link(asset, seconds=LINK_SECONDS), until=until)

    @routes.get("/v1/assets", summary="The organisation's files, newest first")
    async def list_assets(
        identity: Reader,
        type: Type | None = None,
        job_id: Annotated[str | None, Query(pattern=ID_PATTERN.pattern)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
    ) -> AssetList:
        found, next_cursor = await assets.list(identity.org_id, type=type, job_id=job_id, cursor=cursor, limit=limit)
        return AssetList(data=[view(asset) for asset in found], next_cursor=next_cursor)

    @routes.get("/v1/assets/{asset_id}", summary="One file")
    async def get_asset(asset_id: str, identity: Reader) -> AssetView:
        return view(await assets.get(identity.org_id, asset_id))

    @routes.get("/v1/assets/{asset_id}/download", status_code=302, summary="To the bytes, by a link of an hour")
    async def download_asset(asset_id: str, identity: Reader) -> Response:
        asset = await assets.get(identity.org_id, asset_id)
        return RedirectResponse(assets.link(asset, seconds=LINK_SECONDS, attachment=True), status_code=302)

    @routes.get("/v1/assets/{asset_id}/url", summary="A link to the bytes")
    async def link_to_asset(
        asset_id: str,
        identity: Reader,
        expires_in: Lifetime = LINK_SECONDS,
        disposition: Literal["inline", "attachment"] = "inline",
    ) -> LinkView:
        asset = await assets.get(identity.org_id, asset_id)
        url = assets.link(asset, seconds=expires_in, attachment=disposition == "attachment")
        return LinkView(url=url, expires_at=datetime.now(UTC) + timedelta(seconds=expires_in))

    return routes
