"""What a finished step tells the others: assets, outputs, usage, as events. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from fenta.contracts.events import (
    AssetGenerated,
    Caution,
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
from fenta.render.materials import assets_in, render_params, template_name

UNIT = "render_seconds"
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".ass": "text/x-ssa",
    ".otio": "application/json",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
}
# Of output names; all others are files of their own kind.
VALUE_TYPES = {
    "video": "render",
    "thumbnail": "image",
    "gif": "image",
    "webp": "image",
    "sprite": "image",
    "audio": "audio",
}
ASSET_KINDS = VALUE_TYPES | {"video": "video", "sprite_vtt": "vtt"}


class Output(NamedTuple):
    """Where a file comes out: its port, and which of the films it belongs to."""

    port: str
    film: int = 0


@dataclass(frozen=True)
class Stored:
    """A file or document that lies in object storage."""

    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True)
class Times:
    started_at: datetime
    completed_at: datetime


def step_of(request: RenderRequested) -> dict[str, Any]:
    """The fields by which every event names its step."""
    names = ("org_id", "project_id", "job_id", "step_id", "step_key", "node_type", "step_type")
    return {name: getattr(request, name) for name in names}


def files_of(rendered: Rendered, request: RenderRequested) -> dict[Output, Path]:
    """What was made and asked for. What is beside the films is the same for all of them."""
    made: dict[Output, Path] = {}
    for number, film in enumerate(rendered.films):
        own = {"video": film.video, "thumbnail": film.thumbnail, **film.previews}
        made |= {Output(port, number): path for port, path in own.items()}
    made |= {Output(port): path for port, path in rendered.beside.items()}
    unwanted = set() if render_params(request).thumbnail else {"thumbnail"}
    return {output: path for output, path in made.items() if output.port not in unwanted}


def timeline_made(request: RenderRequested, stored: Stored, duration_ms: int, times: Times) -> AssetGenerated:
    asset = _asset(request, Output("timeline"), "timeline", stored, template_name(request))
    value = Value(type="timeline", asset_id=asset.asset_id, sha256=stored.sha256)
    return AssetGenerated(
        **step_of(request),
        outputs={"timeline": value},
        assets=[asset.model_copy(update={"duration_ms": duration_ms})],
        **vars(times),
    )


def film_made(
    request: RenderRequested, timeline: Value, rendered: Rendered, stored: Mapping[Output, Stored], times: Times
) -> RenderCompleted:
    assets = {output: _film_asset(request, output, rendered, file) for output, file in stored.items()}
    return RenderCompleted(
        **step_of(request),
        outputs=_outputs(rendered, assets),
        assets=list(assets.values()),
        usage=_usage(request, rendered),
        timeline={"asset_id": timeline.asset_id or "", "sha256": timeline.sha256},
        renders=[_file(request, rendered, number, assets) for number in range(len(rendered.films))],
        encoded_ms=rendered.encoded_ms,
        cached_ms=rendered.cached_ms,
        checks=_checks([film.checks for film in rendered.films]),
        warnings=[Caution(code=warning.code, message=warning.message) for warning in rendered.warnings],
        **vars(times),
    )


def film_used(request: RenderRequested, rendered: Rendered, now: datetime) -> list[UsageRecorded]:
    """What has to be paid for: nothing where all parts had been paid for before."""
    detail = {
        "encoded_ms": rendered.encoded_ms,
        "resolution": render_params(request).resolution,
        "aspects": [film.canvas.aspect for film in rendered.films],
    }
    return [
        UsageRecorded(
            org_id=request.org_id,
            project_id=request.project_id,
            job_id=request.job_id,
            step_id=request.step_id,
            node_type=request.node_type,
            occurred_at=now,
            detail=detail,
            **line.model_dump(),
        )
        for line in _usage(request, rendered)
    ]


def given_up(request: RenderRequested, error: Problem, tries: list[dict[str, Any]]) -> StepFailed:
    return StepFailed(**step_of(request), error=error, tries=[Try.model_validate(attempt) for attempt in tries])


def attempt(code: str, now: datetime) -> Try:
    return Try(model="libx264", provider="fenta", code=code, at=now)


def _outputs(rendered: Rendered, assets: Mapping[Output, Asset]) -> dict[str, PortValue]:
    """Single ports hold what belongs to the first film."""
    values = {output: _value(output.port, asset) for output, asset in assets.items()}
    first = {output.port: value for output, value in values.items() if output.film == 0}
    films = [
        KeyedValue(key=film.canvas.aspect, value=values[Output("video", number)])
        for number, film in enumerate(rendered.films)
    ]
    return {**first, "renders": films}


def _value(port: str, asset: Asset) -> Value:
    return Value(type=VALUE_TYPES.get(port, "file"), asset_id=asset.asset_id, sha256=asset.sha256)


def _file(request: RenderRequested, rendered: Rendered, number: int, assets: Mapping[Output, Asset]) -> RenderedFile:
    film, params = rendered.films[number], render_params(request)
    thumbnail = assets.get(Output("thumbnail", number))
    return RenderedFile(
        aspect=film.canvas.aspect,
        resolution=params.resolution,
        width=film.canvas.width,
        height=film.canvas.height,
        fps=film.fps,
        codec=params.codec,
        encoder=rendered.encoder,
        duration_ms=film.duration_ms,
        video_asset_id=assets[Output("video", number)].asset_id,
        thumbnail_asset_id=thumbnail.asset_id if thumbnail else None,
        sidecars={port: assets[Output(port)].asset_id for port in rendered.beside},
        previews={port: assets[Output(port, number)].asset_id for port in film.previews},
    )


def _checks(films: Sequence[Checks]) -> RenderChecks:
    """The worst of all films; their sound is the same."""
    return RenderChecks(
        passed=all(checks.passed for checks in films),
        duration_error_ms=max(checks.duration_error_ms for checks in films),
        loudness_lufs=films[0].loudness_lufs,
        black_ms=max(checks.black_ms for checks in films),
        frozen_ms=max(checks.frozen_ms for checks in films),
        silent_ms=max(checks.silent_ms for checks in films),
        caption_coverage=min(checks.caption_coverage for checks in films),
    )


def _usage(request: RenderRequested, rendered: Rendered) -> list[UsageLine]:
    quantity = render_seconds(rendered.encoded_ms / 1000, render_params(request).resolution)
    return [UsageLine(usage_id=usage_id(request.step_id, UNIT), unit=UNIT, quantity=quantity)] if quantity else []


def _film_asset(request: RenderRequested, output: Output, rendered: Rendered, stored: Stored) -> Asset:
    film = rendered.films[output.film]
    asset = _asset(request, output, ASSET_KINDS.get(output.port, output.port), stored, rendered.encoder)
    seen = output.port in {"video", "thumbnail"}
    return asset.model_copy(
        update={
            "width": film.canvas.width if seen else None,
            "height": film.canvas.height if seen else None,
            "duration_ms": film.duration_ms if output.port == "video" else None,
        }
    )


def _asset(request: RenderRequested, output: Output, kind: str, stored: Stored, model: str) -> Asset:
    return Asset(
        asset_id=asset_id(request.step_id, output.port, output.film),
        kind=kind,
        media_type=stored.media_type,
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
