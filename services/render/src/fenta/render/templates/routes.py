"""The routes of templates: those of the organisation, and those that ship."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from fenta.chassis import paging
from fenta.chassis.errors import NotFound, Problem
from fenta.chassis.http import StrictRoute, caller
from fenta.chassis.identity import Identity
from fenta.contracts.templates import SHIPPED, Template
from fenta.render.models import Template as Stored
from fenta.render.models import TemplateVersion
from fenta.render.templates.library import TemplateLibrary
from fenta.render.templates.preview import Previews, named
from fenta.render.templates.schemas import (
    TemplateBody,
    TemplateList,
    TemplatesQuery,
    TemplateView,
    VersionList,
    shipped_view,
    version_view,
    view_of,
)
from fenta.render.templates.shipped import shipped

Reader = Annotated[Identity, caller("templates:read")]
Writer = Annotated[Identity, caller("templates:write", "editor")]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=40, description='such as "v3", or * to overwrite')]


def router(library: TemplateLibrary, previews: Previews) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute, prefix="/v1/templates")
    _add_list(routes, library)
    _add_one(routes, library)
    _add_versions(routes, library)
    _add_preview(routes, library, previews)
    return routes


def _add_list(routes: APIRouter, library: TemplateLibrary) -> None:
    @routes.get("", summary="The organisation's templates, newest first, or those that ship")
    async def list_templates(identity: Reader, query: Annotated[TemplatesQuery, Query()]) -> TemplateList:
        if query.visibility == "public":
            return TemplateList(data=[shipped_view(name) for name in SHIPPED], next_cursor=None)
        filters = {"org_id": identity.org_id, "list": "templates"}
        after = paging.behind(query.cursor, filters, paging.time_and_id)
        found = await library.list(identity.org_id, after=after, most=query.limit + 1)
        page, cursor = paging.cut(found, query.limit, filters, _place)
        return TemplateList(data=[view_of(*one) for one in page], next_cursor=cursor)

    @routes.post("", status_code=201, summary="Keep a template, if it compiles")
    async def create_template(identity: Writer, body: TemplateBody, response: Response) -> TemplateView:
        return _tagged(response, await library.create(identity, body.document))


def _add_one(routes: APIRouter, library: TemplateLibrary) -> None:
    @routes.get("/{template_id}", summary="A template, with its newest document")
    async def get_template(identity: Reader, template_id: str, response: Response) -> TemplateView:
        if template_id in SHIPPED:
            response.headers["ETag"] = '"v1"'
            return shipped_view(template_id)
        return _tagged(response, await library.get(identity.org_id, template_id))

    @routes.put("/{template_id}", summary="Make the next version of a template, if it compiles")
    async def save_template(
        identity: Writer, template_id: str, body: TemplateBody, response: Response, if_match: IfMatch = None
    ) -> TemplateView:
        # Nobody learns more than that of a template that is not theirs.
        await library.get(identity.org_id, template_id)
        return _tagged(response, await library.save(identity, template_id, body.document, _matched(if_match)))

    @routes.delete("/{template_id}", status_code=204, summary="Hide a template; what was begun with it goes on")
    async def delete_template(identity: Writer, template_id: str) -> None:
        await library.delete(identity.org_id, template_id)

    @routes.post("/{template_id}/restore", summary="Show a hidden template again")
    async def restore_template(identity: Writer, template_id: str, response: Response) -> TemplateView:
        return _tagged(response, await library.restore(identity.org_id, template_id))


def _add_versions(routes: APIRouter, library: TemplateLibrary) -> None:
    @routes.get("/{template_id}/versions", summary="Every save of a template, newest first")
    async def list_versions(
        identity: Reader, template_id: str, query: Annotated[paging.PageQuery, Query()]
    ) -> VersionList:
        filters = {"org_id": identity.org_id, "template_id": template_id}
        before = paging.behind(query.cursor, filters, paging.number)
        found = await library.versions(identity.org_id, template_id, before=before, most=query.limit + 1)
        page, cursor = paging.cut(found, query.limit, filters, lambda one: one.number)
        return VersionList(data=[version_view(one) for one in page], next_cursor=cursor)

    @routes.get("/{template_id}/versions/{number}", summary="A template as it was saved once")
    async def get_version(identity: Reader, template_id: str, number: str, response: Response) -> TemplateView:
        return _tagged(response, await library.get_version(identity.org_id, template_id, _numbered(number)))


def _add_preview(routes: APIRouter, library: TemplateLibrary, previews: Previews) -> None:
    @routes.get(
        "/{template_id}/preview",
        summary="Three moments of a film of sample material in this template",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "As it was"}},
    )
    async def get_preview(
        identity: Reader, template_id: str, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        template = await _document(library, identity, template_id)
        tag = f'"{named(template)[:32]}"'
        fields = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        if if_none_match == tag:
            return Response(status_code=304, headers=fields)
        return Response(await previews.picture(template), media_type="image/jpeg", headers=fields)


async def _document(library: TemplateLibrary, identity: Identity, template_id: str) -> Template:
    if template_id in SHIPPED:
        return shipped(template_id)
    _, version = await library.get(identity.org_id, template_id)
    return Template.model_validate(version.document)


def _tagged(response: Response, found: tuple[Stored, TemplateVersion]) -> TemplateView:
    response.headers["ETag"] = f'"v{found[1].number}"'
    return view_of(*found)


def _matched(if_match: str | None) -> int | None:
    """The version that was edited; None where whatever there is shall be overwritten."""
    if if_match is None:
        raise Problem("precondition_required", "Say which version you have edited.", hint='Send If-Match: "v3", or *.')
    if if_match.strip() == "*":
        return None
    named_version = re.fullmatch(r'(?:W/)?"?v(\d{1,6})"?', if_match.strip())
    # What is no version of ours is none that is current.
    return int(named_version[1]) if named_version else 0


def _numbered(number: str) -> int:
    """What is no number names no version."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}", number):
        raise NotFound("version")
    return int(number)


def _place(found: tuple[Any, Any]) -> str:
    return paging.written_time_and_id(found[0].created_at, found[0].id)
