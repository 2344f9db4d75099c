"""What a finished step tells the others: assets, outputs, usage, as events. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fenta.contracts.documents import media_type_of
from fenta.contracts.events import (
    AssetGenerated,
    Problem,
    RenderChecks,
    RenderCompleted,
    RenderedFile,
    RenderRequested,
    StepFailed,
    Try,
    UsageLine,
    UsageRecorded,
)
from fenta.contracts.ids import asset_id, usage_id
from fenta.contracts.units import render_seconds
from fenta.contracts.values import Asset, KeyedValue, Lineage, PortValue, Value, storage_key
from fenta.render.checks import Checks
from fenta.render.engine import Rendered
from fenta.render.materials import assets_in, render_params
from fenta.render.template import TEMPLATE

UNIT = "render_seconds"
MEDIA_TYPES = {"video": "video/mp4", "thumbnail": "image/jpeg", "srt": "application/x-subrip", "vtt": "text/vtt"}
VALUE_TYPES = {"video": "render", "thumbnail": "image", "srt": "file", "vtt": "file"}
ASSET_KINDS = {"video": "video", "thumbnail": "image", "srt": "srt", "vtt": "vtt"}


@dataclass(frozen=True)
class Stored:
    """A file or document that lies in object storage."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Times:
    started_at: datetime
    completed_at: datetime


def step_of(request: RenderRequested) -> dict[str, Any]:
    """The fields by which every event names its step."""
    names = ("org_id", "project_id", "job_id", "step_id", "step_key", "node_type", "step_type")
    return {name: getattr(request, name) for name in names}


def files_of(rendered: Rendered, request: RenderRequested) -> dict[str, Path]:
    """By output port, what was made and asked for."""
    params = render_params(request)
    made = {"video": rendered.video, "thumbnail": rendered.thumbnail, "srt": rendered.srt, "vtt": rendered.vtt}
    wanted = {"video", *params.sidecars, *(["thumbnail"] if params.thumbnail else [])}
    return {port: path for port, path in made.items() if path is not None and port in wanted}


def timeline_made(request: RenderRequested, stored: Stored, duration_ms: int, times: Times) -> AssetGenerated:
    asset = _asset(request, "timeline", "timeline", media_type_of("timeline"), stored, TEMPLATE)
    value = Value(type="timeline", asset_id=asset.asset_id, sha256=stored.sha256)
    return AssetGenerated(
        **step_of(request),
        outputs={"timeline": value},
        assets=[asset.model_copy(update={"duration_ms": duration_ms})],
        **vars(times),
    )


def film_made(
    request: RenderRequested, timeline: Value, rendered: Rendered, stored: Mapping[str, Stored], times: Times
) -> RenderCompleted:
    assets = {port: _film_asset(request, port, rendered, file) for port, file in stored.items()}
    return RenderCompleted(
        **step_of(request),
        outputs=_outputs(assets),
        assets=list(assets.values()),
        usage=[_usage_line(request, rendered)],
        timeline={"asset_id": timeline.asset_id or "", "sha256": timeline.sha256},
        renders=[_file(request, rendered, assets)],
        encoded_ms=rendered.encoded_ms,
        checks=_checks(rendered.checks),
        **vars(times),
    )


def film_used(request: RenderRequested, rendered: Rendered, now: datetime) -> UsageRecorded:
    line = _usage_line(request, rendered)
    return UsageRecorded(
        org_id=request.org_id,
        project_id=request.project_id,
        job_id=request.job_id,
        step_id=request.step_id,
        node_type=request.node_type,
        occurred_at=now,
        detail={"encoded_ms": rendered.encoded_ms, "resolution": render_params(request).resolution, "aspect": "9:16"},
        **line.model_dump(),
    )


def given_up(request: RenderRequested, error: Problem, tries: list[dict[str, Any]]) -> StepFailed:
    return StepFailed(**step_of(request), error=error, tries=[Try.model_validate(attempt) for attempt in tries])


def attempt(code: str, now: datetime) -> Try:
    return Try(model="libx264", provider="fenta", code=code, at=now)


def _outputs(assets: Mapping[str, Asset]) -> dict[str, PortValue]:
    single = {
        port: Value(type=VALUE_TYPES[port], asset_id=asset.asset_id, sha256=asset.sha256)
        for port, asset in assets.items()
    }
    return {**single, "renders": [KeyedValue(key="9:16", value=single["video"])]}


def _file(request: RenderRequested, rendered: Rendered, assets: Mapping[str, Asset]) -> RenderedFile:
    thumbnail = assets.get("thumbnail")
    return RenderedFile(
        aspect="9:16",
        resolution=render_params(request).resolution,
        width=rendered.width,
        height=rendered.height,
        fps=rendered.fps,
        codec="h264",
        duration_ms=rendered.duration_ms,
        video_asset_id=assets["video"].asset_id,
        thumbnail_asset_id=thumbnail.asset_id if thumbnail else None,
        sidecars={port: assets[port].asset_id for port in ("srt", "vtt") if port in assets},
    )


def _checks(checks: Checks) -> RenderChecks:
    measured = {name: value for name, value in vars(checks).items() if name != "faults"}
    return RenderChecks(passed=checks.passed, **measured)


def _usage_line(request: RenderRequested, rendered: Rendered) -> UsageLine:
    quantity = render_seconds(rendered.encoded_ms / 1000, render_params(request).resolution)
    return UsageLine(usage_id=usage_id(request.step_id, UNIT), unit=UNIT, quantity=quantity)


def _film_asset(request: RenderRequested, port: str, rendered: Rendered, stored: Stored) -> Asset:
    asset = _asset(request, port, ASSET_KINDS[port], MEDIA_TYPES[port], stored, "libx264")
    seen = port in {"video", "thumbnail"}
    return asset.model_copy(
        update={
            "width": rendered.width if seen else None,
            "height": rendered.height if seen else None,
            "duration_ms": rendered.duration_ms if port == "video" else None,
        }
    )


def _asset(request: RenderRequested, port: str, kind: str, media_type: str, stored: Stored, model: str) -> Asset:  # noqa: PLR0917
    return Asset(
        asset_id=asset_id(request.step_id, port),
        kind=kind,
        media_type=media_type,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        storage_key=storage_key(request.org_id, stored.sha256),
        lineage=Lineage(
            fingerprint=request.fingerprint,
            inputs=assets_in(request.inputs),
            provider="fenta",
            model=model,
            parameters=request.params,
        ),
    )
