"""The events that generation tells: progress, results, usage, failures."""

from datetime import datetime
from typing import Any

from fenta.contracts.events import (
    AssetGenerated,
    GenerationRequested,
    Problem,
    StepFailed,
    StepProgressed,
    Try,
    UsageRecorded,
)
from fenta.contracts.nodes import CATALOGUE
from fenta.generation.models import ProviderTask
from fenta.generation.results import Result

_STEP_FIELDS = ("org_id", "project_id", "job_id", "step_id", "step_key", "node_type", "step_type")


def _step(event: GenerationRequested) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _STEP_FIELDS}


def progressed(event: GenerationRequested, percent: int, *, provider_state: str | None = None) -> StepProgressed:
    node = CATALOGUE.get(event.node_type)
    return StepProgressed(
        **_step(event), progress=percent, phase_text=node.title if node else "", provider_state=provider_state
    )


def generated(task: ProviderTask, result: Result, now: datetime) -> AssetGenerated:
    return AssetGenerated(
        **_step(task.asked),
        outputs=result.outputs,
        assets=result.assets,
        usage=result.usage,
        started_at=task.started_at or now,
        completed_at=now,
    )


def used(task: ProviderTask, result: Result, now: datetime) -> list[UsageRecorded]:
    event = task.asked
    detail = {"provider": task.provider, "model": task.model, "provider_task_id": task.provider_task_id}
    return [
        UsageRecorded(
            usage_id=line.usage_id,
            org_id=event.org_id,
            project_id=event.project_id,
            job_id=event.job_id,
            step_id=event.step_id,
            node_type=event.node_type,
            unit=line.unit,
            quantity=line.quantity,
            occurred_at=now,
            detail=detail,
        )
        for line in result.usage
    ]


def failed(event: GenerationRequested, problem: Problem, tries: list[dict[str, Any]]) -> StepFailed:
    return StepFailed(
        **_step(event),
        error=problem.model_copy(update={"step_key": event.step_key}),
        tries=[Try.model_validate(attempt) for attempt in tries],
    )


def cancelled(reason: str) -> Problem:
    return Problem.model_validate(
        {"class": "cancelled", "code": "cancelled", "message": f"The step was stopped: {reason}."}
    )
