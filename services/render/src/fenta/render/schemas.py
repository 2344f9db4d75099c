"""Shapes of render's answers and questions."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from fenta.chassis.http import Body
from fenta.chassis.moments import Moment
from fenta.chassis.paging import PageQuery
from fenta.contracts.nodes import RenderParams
from fenta.contracts.values import PortValue
from fenta.render.models import Render, Status


class RendersQuery(PageQuery):
    job_id: str | None = Field(default=None, max_length=64)
    status: Status | None = None


class RenderView(BaseModel):
    """One step of rendering: what was asked, what came of it."""

    id: str
    job_id: str
    step_id: str
    node_type: str
    status: Status
    progress: int
    params: dict[str, Any]
    renders: list[dict[str, Any]]
    outputs: dict[str, Any]
    checks: dict[str, Any] | None
    warnings: list[dict[str, Any]]
    error: dict[str, Any] | None
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None


class RenderList(BaseModel):
    data: list[RenderView]
    next_cursor: str | None


def view_of(render: Render) -> RenderView:
    result = render.result or {}
    return RenderView(
        id=render.id,
        job_id=render.job_id,
        step_id=render.step_id,
        node_type=render.node_type,
        status=render.status,
        progress=render.progress,
        params=render.request["params"],
        renders=result.get("renders", []),
        outputs=result.get("outputs", {}),
        checks=result.get("checks"),
        warnings=result.get("warnings", []),
        error=render.error,
        created_at=render.created_at,
        started_at=render.started_at,
        completed_at=render.completed_at,
    )


class RenderOrder(Body):
    """What the internal API renders: a timeline, or a template with its inputs and settings as `Edit.Timeline` has."""

    timeline: dict[str, Any] | None = None
    template: Literal["fenta/short@1"] | None = None
    inputs: dict[str, PortValue] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    params: RenderParams = RenderParams()
    priority: Literal["interactive", "default", "batch"] = "default"


class FileView(BaseModel):
    """A file by its SHA-256, and where it can be read."""

    sha256: str
    size_bytes: int
    href: str


class MadeFile(FileView):
    """What a render has made, under the id by which its outputs name it."""

    asset_id: str
    kind: str
    media_type: str


class InternalRender(RenderView):
    """The same render as the internal API shows it, with its files."""

    files: list[MadeFile]


def internal_view_of(render: Render) -> InternalRender:
    made = (render.result or {}).get("assets", [])
    files = [MadeFile(**{**asset, "href": file_href(asset["sha256"])}) for asset in made]
    return InternalRender(**view_of(render).model_dump(), files=files)


def file_href(sha256: str) -> str:
    return f"/internal/files/{sha256}"
