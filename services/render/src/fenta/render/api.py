"""The routes render serves."""

from typing import Annotated

from fastapi import APIRouter, Query

from fenta.chassis import paging
from fenta.chassis.http import StrictRoute, caller
from fenta.chassis.identity import Identity
from fenta.render.models import Render
from fenta.render.schemas import RenderList, RendersQuery, RenderView, view_of
from fenta.render.service import RenderService
from fenta.render.templates import routes as templates
from fenta.render.templates.library import TemplateLibrary
from fenta.render.templates.preview import Previews

Reader = Annotated[Identity, caller("jobs:read")]


def router(renders: RenderService, library: TemplateLibrary, previews: Previews) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)
    routes.include_router(templates.router(library, previews))

    @routes.get("/v1/renders", summary="Renders, newest first")
    async def list_renders(identity: Reader, query: Annotated[RendersQuery, Query()]) -> RenderList:
        filters = {"org_id": identity.org_id, "job_id": query.job_id, "status": query.status}
        found = await renders.list(
            identity.org_id,
            job_id=query.job_id,
            status=query.status,
            after=paging.behind(query.cursor, filters, paging.time_and_id),
            most=query.limit + 1,
        )
        page, cursor = paging.cut(found, query.limit, filters, _place)
        return RenderList(data=[view_of(render) for render in page], next_cursor=cursor)

    @routes.get("/v1/renders/{render_id}", summary="One render: its files and checks")
    async def get_render(identity: Reader, render_id: str) -> RenderView:
        return view_of(await renders.get(identity.org_id, render_id))

    return routes


def _place(render: Render) -> str:
    return paging.written_time_and_id(render.created_at, render.id)
