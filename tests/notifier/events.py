"""Events as notifier gets them, with everything a test does not care about filled in."""

from datetime import UTC, datetime
from typing import Any

from fenta.contracts.events import (
    AssetGenerated,
    JobCancelled,
    JobCompleted,
    JobStarted,
    Problem,
    RenderChecks,
    RenderCompleted,
    Source,
    StepFailed,
)
from fenta.contracts.ids import new_id, step_id
from fenta.contracts.values import Asset, Lineage

NOW = datetime(2026, 11, 21, 9, 20, tzinfo=UTC)
BRIEF = Source(kind="brief", workflow_id="fenta/brief-to-video", workflow_version=1)
SAVED = Source(kind="workflow", workflow_id="wf_1", workflow_version=3)


def org() -> str:
    return new_id("org")


def started(org_id: str, *, source: Source = BRIEF, **values: Any) -> JobStarted:
    return JobStarted(org_id=org_id, job_id=new_id("job"), source=source, started_at=NOW, **values)


def completed(org_id: str, *, source: Source = BRIEF, **values: Any) -> JobCompleted:
    return JobCompleted(
        org_id=org_id,
        job_id=new_id("job"),
        source=source,
        usage={"kai_credits": 96},
        ended_at=NOW,
        duration_ms=93411,
        **values,
    )


def cancelled(org_id: str) -> JobCancelled:
    return JobCancelled(org_id=org_id, job_id=new_id("job"), source=SAVED, ended_at=NOW, reason="user")


def _step(org_id: str, node_type: str) -> dict[str, Any]:
    job_id = new_id("job")
    place = {"org_id": org_id, "job_id": job_id, "step_id": step_id(job_id, "x"), "step_key": "x"}
    return {**place, "node_type": node_type, "step_type": "X"}


def step_failed(org_id: str, node_type: str) -> StepFailed:
    problem = Problem(**{"class": "internal"}, code="internal_error", message="It broke.")
    return StepFailed(**_step(org_id, node_type), error=problem)


def rendered(org_id: str) -> RenderCompleted:
    checks = RenderChecks(passed=True, duration_error_ms=8)
    return RenderCompleted(
        **_step(org_id, "Output.Render"),
        outputs={},
        assets=[],
        timeline={"asset_id": "asset_1", "sha256": "e6"},
        renders=[],
        encoded_ms=17433,
        checks=checks,
        started_at=NOW,
        completed_at=NOW,
    )


def generated(org_id: str, *, assets: int = 1) -> AssetGenerated:
    lineage = Lineage(provider="kie", model="flux", parameters={"prompt": "a secret idea"})
    made = [
        Asset(
            asset_id=new_id("asset"),
            kind="image",
            media_type="image/png",
            sha256="f5" * 32,
            size_bytes=1,
            storage_key="org/f5/f5",
            lineage=lineage,
        )
        for _ in range(assets)
    ]
    step = _step(org_id, "Input.KAI.GenerateImage")
    return AssetGenerated(**step, outputs={}, assets=made, started_at=NOW, completed_at=NOW)
