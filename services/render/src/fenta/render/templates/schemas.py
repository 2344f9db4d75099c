"""Shapes of the answers and questions about templates."""

from typing import Any, Literal

from pydantic import BaseModel

from fenta.chassis.http import Body
from fenta.chassis.moments import Moment
from fenta.chassis.paging import PageQuery
from fenta.contracts.templates import Slot
from fenta.render.models import Template as Stored
from fenta.render.models import TemplateVersion
from fenta.render.templates.shipped import shipped


class TemplateBody(Body):
    """`document` is a `fenta.template/1`."""

    document: dict[str, Any]


class TemplatesQuery(PageQuery):
    visibility: Literal["private", "public"] = "private"


class TemplateView(BaseModel):
    """`template_id` is what a brief and `Edit.Timeline` name it by: with its version, so that it never changes."""

    id: str
    name: str
    description: str
    version: int
    template_id: str
    visibility: Literal["private", "public"]
    slots: list[Slot]
    document: dict[str, Any]
    created_by: str | None
    created_at: Moment | None
    updated_at: Moment | None


class TemplateList(BaseModel):
    data: list[TemplateView]
    next_cursor: str | None


class VersionView(BaseModel):
    """One save, without its document."""

    number: int
    template_id: str
    name: str
    created_by: str
    created_at: Moment


class VersionList(BaseModel):
    data: list[VersionView]
    next_cursor: str | None


def view_of(stored: Stored, version: TemplateVersion) -> TemplateView:
    return TemplateView(
        id=stored.id,
        version=version.number,
        template_id=f"{stored.id}@{version.number}",
        visibility="private",
        created_by=stored.created_by,
        created_at=stored.created_at,
        updated_at=version.created_at,
        **_said(version.document),
    )


def shipped_view(name: str) -> TemplateView:
    document = shipped(name).model_dump(mode="json", by_alias=True)
    return TemplateView(
        id=name,
        version=1,
        template_id=f"fenta/{name}@1",
        visibility="public",
        created_by=None,
        created_at=None,
        updated_at=None,
        **_said(document),
    )


def version_view(version: TemplateVersion) -> VersionView:
    return VersionView(
        number=version.number,
        template_id=f"{version.template_id}@{version.number}",
        name=version.document["name"],
        created_by=version.created_by,
        created_at=version.created_at,
    )


def _said(document: dict[str, Any]) -> dict[str, Any]:
    kept = {name: document[name] for name in ("name", "description", "slots")}
    return {**kept, "document": document}
