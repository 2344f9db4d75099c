"""Shapes of render's answers and questions."""

from typing import Any

from pydantic import BaseModel, Field

from fenta.chassis.moments import Moment
from fenta.chassis.paging import PageQuery
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
