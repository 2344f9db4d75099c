"""Events of one job as the other services tell them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fenta.contracts.events import (
    AssetGenerated,
    JobCancelled,
    JobCompleted,
    JobEstimate,
    JobFailed,
    JobProgressed,
    JobRequested,
    JobStarted,
    JobWaiting,
    Problem,
    Range,
    RenderChecks,
    RenderCompleted,
    Source,
    StepCompleted,
    StepFailed,
    StepProgressed,
)
from fenta.contracts.ids import asset_id, new_id, step_id
from fenta.contracts.values import Asset, Lineage, Value, storage_key

NOW = datetime(2026, 11, 21, 9, 20, tzinfo=UTC)
SHA = "ab" * 32


class Story:
    """Makes the events of one job of one organisation."""

    def __init__(self, org_id: str, job_id: str | None = None) -> None:
        self.org_id = org_id
        self.job_id = job_id or new_id("job")

    def requested(self) -> JobRequested:
        return JobRequested(
            **self._job(),
            root_job_id=self.job_id,
            title="Why the night sky is dark",
            requested_by=new_id("user"),
            source=Source(kind="brief"),
            steps=Range(low=3, high=9),
            estimate=JobEstimate(low={}, high={}, duration_ms=Range(low=1, high=2)),
            requested_at=NOW,
            deadline_at=NOW + timedelta(hours=6),
            hold_expires_at=NOW + timedelta(hours=6),
        )

    def started(self) -> JobStarted:
        return JobStarted(**self._job(), source=Source(kind="brief"), started_at=NOW)

    def waiting(self) -> JobWaiting:
        return JobWaiting(**self._job(), kind="budget", reason="The cap is met.", expires_at=NOW)

    def progressed(self, progress: int, status: str = "running") -> JobProgressed:
        return JobProgressed(
            **self._job(), status=status, phase=status.upper(), progress=progress, current_step="RENDER", eta_ms=9500
        )

    def completed(self) -> JobCompleted:
        outputs = {name: self.value(f"{name}-file", name) for name in ("video", "thumbnail")}
        return JobCompleted(
            **self._job(), source=Source(kind="brief"), outputs=outputs, usage={}, ended_at=NOW, duration_ms=93_411
        )

    def failed(self) -> JobFailed:
        error = Problem(**{"class": "provider"}, code="provider_refused", message="The voice refused.", hint="Reword.")
        return JobFailed(**self._job(), source=Source(kind="brief"), ended_at=NOW, error=error, retryable=True)

    def cancelled(self) -> JobCancelled:
        return JobCancelled(**self._job(), source=Source(kind="brief"), ended_at=NOW, reason="user")

    def step_progressed(self, key: str, progress: int) -> StepProgressed:
        return StepProgressed(**self._step(key), progress=progress, phase_text="painting")

    def step_completed(self, key: str) -> StepCompleted:
        outputs = {"image": self.value(key, "image")}
        return StepCompleted(**self._step(key), status="completed", outputs=outputs, completed_at=NOW)

    def step_failed(self, key: str) -> StepFailed:
        error = Problem(**{"class": "provider"}, code="provider_refused", message="The picture was refused.")
        return StepFailed(**self._step(key), error=error)

    def generated(self, key: str, media_type: str = "image/png", *, minutes: int = 0) -> AssetGenerated:
        return AssetGenerated(
            **self._step(key),
            outputs={"image": self.value(key, "image")},
            assets=[self.asset(key, media_type)],
            started_at=NOW,
            completed_at=NOW + timedelta(minutes=minutes),
        )

    def rendered(self) -> RenderCompleted:
        return RenderCompleted(
            **self._step("render"),
            outputs={"video": self.value("render", "video")},
            assets=[self.asset("render", "video/mp4", "video"), self.asset("render", "text/vtt", "vtt")],
            started_at=NOW,
            completed_at=NOW,
            timeline={},
            renders=[],
            encoded_ms=5000,
            checks=RenderChecks(passed=True, duration_error_ms=0),
        )

    def asset(self, key: str, media_type: str, port: str = "image") -> Asset:
        return Asset(
            asset_id=self.asset_id(key, port),
            kind=port,
            media_type=media_type,
            sha256=SHA,
            size_bytes=1234,
            width=1080,
            height=1920,
            duration_ms=5500,
            storage_key=storage_key(self.org_id, SHA),
            lineage=Lineage(provider="local", model="local-pictures", licence="generated"),
        )

    def value(self, key: str, port: str) -> Value:
        return Value(type=port, asset_id=self.asset_id(key, port), sha256=SHA)

    def asset_id(self, key: str, port: str = "image") -> str:
        return asset_id(step_id(self.job_id, key), port)

    def _job(self) -> dict[str, Any]:
        return {"org_id": self.org_id, "job_id": self.job_id}

    def _step(self, key: str) -> dict[str, Any]:
        names = {"node_type": "Input.KAI.GenerateImage", "step_type": "IMAGE_GENERATION"}
        return self._job() | names | {"step_id": step_id(self.job_id, key), "step_key": key}
