"""Shapes of render's answers and questions."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fenta.render.models import Render, Status


class Query(BaseModel):
    """Query parameters; an unknown one is a mistake."""

    model_config = ConfigDict(extra="forbid")

    job_id: str | None = Field(default=None, max_length=64)
    status: Status | None = None
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None


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
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


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
        error=render.error,
        created_at=render.created_at,
        started_at=render.started_at,
        completed_at=render.completed_at,
    )
