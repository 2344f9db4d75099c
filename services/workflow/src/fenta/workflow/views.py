"""How jobs and steps look from outside."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fenta.chassis.moments import written
from fenta.contracts import nodes, units
from fenta.contracts.models import MODELS
from fenta.contracts.phases import phase_of
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.happenings import Facts
from fenta.workflow.plan.settle import current_step, eta_ms

LINK_SECONDS = 3600
FREE_PROVIDER = "local"
# Of outputs; all others are JSON under their own names.
FILENAMES = {
    "video": "video.mp4",
    "thumbnail": "thumbnail.jpg",
    "srt": "subtitles.srt",
    "vtt": "subtitles.vtt",
    "ass": "subtitles.ass",
    "gif": "preview.gif",
    "webp": "preview.webp",
    "sprite": "sprite.jpg",
    "sprite_vtt": "sprite.vtt",
    "otio": "timeline.otio",
}
# What may have one of several kinds.
SUFFIXES = {"audio/mp4": "m4a", "audio/mpeg": "mp3", "audio/wav": "wav"}

Link = Callable[[str, str, str], str]


def time_words(moment: datetime | None) -> str | None:
    return written(moment) if moment else None


def money(micros: int | None) -> dict[str, Any] | None:
    return None if micros is None else {"amount_micros": micros, "currency": "USD"}


def _films(job: Job, given: Any) -> list[tuple[str | None, dict[str, Any]]]:
    """An output's assets: the film with those of its other aspects, or the one there is."""
    if not isinstance(given, dict) or not given.get("asset_id"):
        return []
    for step in job.steps:
        films = [(entry["key"], entry["value"]) for entry in step.outputs.get("renders", ())]
        if films and films[0][1]["asset_id"] == given["asset_id"]:
            return films
    return [(None, given)]


def _filename(name: str, media_type: str, aspect: str | None, number: int) -> str:
    """The first film has the plain name."""
    file = FILENAMES.get(name, f"{name}.{SUFFIXES.get(media_type, 'json')}")
    stem, _, kind = file.rpartition(".")
    return f"{stem}-{aspect.replace(':', 'x')}.{kind}" if aspect and number else file


class Views:
    """Renders jobs; `storage_link(org_id, sha256, filename)` signs an address."""

    def __init__(self, storage_link: Link) -> None:
        self._link = storage_link

    def job(self, job: Job) -> dict[str, Any]:
        outputs = self.outputs(job)
        first = {output["name"]: output["url"] for output in reversed(outputs)}
        return {
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "status": job.status,
            "phase": phase_of(job.status),
            "progress": job.progress,
            "eta_seconds": _eta_seconds(job),
            "priority": job.priority,
            "workflow_id": job.source.get("workflow_id"),
            "parent_job_id": job.parent_job_id,
            "root_job_id": job.root_job_id,
            "current_step": _current(job),
            "waiting": job.waiting,
            "cost": cost(job),
            "outputs": outputs,
            "image_url": first.get("image"),
            "video_url": first.get("video"),
            "thumbnail_url": first.get("thumbnail"),
            "error": _error(job),
            "cancel_reason": job.cancel_reason,
            "metadata": job.labels,
            "org_id": job.org_id,
            "project_id": job.project_id,
            "created_by": job.created_by,
            "created_at": time_words(job.created_at),
            "updated_at": time_words(job.updated_at),
            "started_at": time_words(job.started_at),
            "completed_at": time_words(job.ended_at),
        }

    def outputs(self, job: Job) -> list[dict[str, Any]]:
        """Named outputs with signed addresses that live for an hour; of a video that has several aspects, each."""
        expires = time_words(datetime.fromtimestamp(datetime.now(UTC).timestamp() + LINK_SECONDS, UTC))
        media_types = {asset["asset_id"]: asset["media_type"] for step in job.steps for asset in step.assets}
        return [
            {
                "name": name,
                "aspect": aspect,
                "filename": (file := _filename(name, media_types.get(value["asset_id"], ""), aspect, number)),
                "asset_id": value["asset_id"],
                "sha256": value["sha256"],
                "url": self._link(job.org_id, value["sha256"], file),
                "url_expires_at": expires,
            }
            for name, given in job.outputs.items()
            for number, (aspect, value) in enumerate(_films(job, given))
        ]

    def step(self, job: Job, step: Step) -> dict[str, Any]:
        return {
            "id": step.id,
            "key": step.key,
            "node_id": step.node_id,
            "type": nodes.CATALOGUE[step.node_type].step_type,
            "label": label(job, step),
            "status": step.status,
            "phase": phase_of(step.status),
            "progress": step.progress,
            "tries": step.tries,
            "cost": {"units": step.spent, **(money(step_micros(job, step)) or {})},
            "reused_from": step.reused_from,
            "outputs": step.outputs,
            "error": step.error,
            "started_at": time_words(step.started_at),
            "completed_at": time_words(step.completed_at),
        }

    def manifest(self, job: Job) -> dict[str, Any]:
        """Every part of the product: how it was made, by whom, with which parameters, its hash and its cost."""
        graph = job.plan_graph
        parts = [
            {
                "step_key": step.key,
                "node_type": step.node_type,
                "params": graph.by_id[step.node_id].params,
                "reused_from": step.reused_from,
                "usage": step.usage,
                "cost": money(step_micros(job, step)),
                "assets": step.assets,
                "started_at": time_words(step.started_at),
                "completed_at": time_words(step.completed_at),
            }
            for step in job.steps
            if step.status == "completed"
        ]
        return {
            "schema": "fenta.manifest/1",
            "job_id": job.id,
            "title": job.title,
            "source": job.source,
            "inputs": job.inputs,
            "parts": parts,
            "outputs": job.outputs,
            "usage": job.spent,
            "cost": money(sum(step_micros(job, step) for step in job.steps)),
            "price_version": job.prices.get("version"),
        }


def label(job: Job, step: Step) -> str:
    """What the step does, in words, and which one of how many."""
    title = nodes.CATALOGUE[step.node_type].title
    siblings = job.of_node(step.node_id)
    return f"{title} {siblings.index(step) + 1} of {len(siblings)}" if step.axis else title


def step_micros(job: Job, step: Step) -> int:
    """A step's usage at the job's own prices; what local engines do costs nothing."""
    if any(_provider(model) == FREE_PROVIDER for model in step.models):
        return 0
    return _micros(job, step.spent)


def _provider(model: str) -> str:
    return MODELS[model].provider if model in MODELS else ""


def _micros(job: Job, amounts: dict[str, int]) -> int:
    prices = job.prices.get("unit_micros", {})
    return sum(quantity * prices.get(unit, 0) for unit, quantity in amounts.items())


def cost(job: Job) -> dict[str, Any]:
    bounds = job.estimate["units"]
    priced = bool(job.prices)
    return {
        "units": job.spent,
        "low_units": bounds["low"],
        "high_units": bounds["high"],
        "held_units": {} if job.final else job.hold,
        "spent": money(sum(step_micros(job, step) for step in job.steps)) if priced else None,
        "max": money(job.max_cost_micros),
    }


def _eta_seconds(job: Job) -> int | None:
    milliseconds = eta_ms(job, Facts(now=datetime.now(UTC)))
    return None if milliseconds is None else round(milliseconds / 1000)


def _current(job: Job) -> dict[str, Any] | None:
    key = current_step(job)
    step = next((step for step in job.steps if step.key == key), None)
    if step is None:
        return None
    kind = nodes.CATALOGUE[step.node_type].step_type
    return {"id": step.id, "key": step.key, "type": kind, "label": label(job, step)}


def _error(job: Job) -> dict[str, Any] | None:
    if job.error is None:
        return None
    charged = bool(units.add(job.spent))
    return {**job.error, "retryable": job.error.get("class") not in ("invalid", "rejected"), "charged": charged}
