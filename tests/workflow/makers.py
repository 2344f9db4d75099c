"""Jobs for tests of the plan, and an executor that answers whatever was requested."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fenta.contracts import units
from fenta.contracts.events import Event, StepRequested
from fenta.contracts.ids import asset_id, new_id, usage_id
from fenta.workflow.compile import compile_request
from fenta.workflow.estimate import estimate
from fenta.workflow.models import Job
from fenta.workflow.plan import (
    Authorized,
    Command,
    Facts,
    Happening,
    LookUp,
    Publish,
    StepFailedAt,
    StepSucceeded,
    plan,
)
from fenta.workflow.schemas import JobRequest

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PLENTY = {"llm_tokens": 10**6, "kai_credits": 10**6, "tts_characters": 10**6, "render_seconds": 10**6}


def brief(**changes: Any) -> dict[str, Any]:
    return {"brief": {"topic": "Why the night sky is dark", "points": ["The universe has an age."], **changes}}


def make_job(request: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A job as it is right after its creation."""
    asked = JobRequest.model_validate(request or brief())
    compiled = compile_request(asked)
    job_id = new_id("job")
    fields: dict[str, Any] = {
        "id": job_id,
        "org_id": new_id("org"),
        "project_id": None,
        "root_job_id": job_id,
        "parent_job_id": None,
        "created_by": new_id("user"),
        "title": compiled.title,
        "kind": compiled.kind,
        "source": compiled.source,
        "labels": {},
        "priority": "default",
        "on_budget": asked.on_budget,
        "reuse": asked.reuse,
        "max_cost_micros": None,
        "weight": 1,
        "graph": compiled.graph.frozen(),
        "inputs": compiled.inputs,
        "size": compiled.size.model_dump(),
        "estimate": estimate(compiled),
        "status": "pending",
        "progress": 0,
        "waiting": None,
        "hold": {},
        "revision": 0,
        "asked_revision": 1,
        "prices": {},
        "outputs": {},
        "error": None,
        "deadline_at": START + timedelta(hours=6),
        "created_at": START,
        "updated_at": START,
        "steps": [],
    }
    return Job(**fields | changes)


class Stage:
    """Runs a job's plan and keeps what it told; answers requests the way executors do."""

    def __init__(self, job: Job, *, scenes: Sequence[str] = ("s1", "s2", "s3"), room: int = 1000) -> None:
        self.job = job
        self.scenes = scenes
        self.room = room
        self.now = START
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.results: dict[str, dict[str, Any] | None] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.looked_up: list[str] = []

    def happen(self, *happenings: Happening) -> list[Event]:
        """Fold these, one second later; answers what was told of it."""
        self.now += timedelta(seconds=1)
        commands = plan(self.job, happenings, self._facts())
        while wanted := [command for command in commands if isinstance(command, LookUp)]:
            self.looked_up += [key for look in wanted for key in look.scopes]
            self.results |= {key: self.known.get(key) for look in wanted for key in look.scopes}
            commands = [*(c for c in commands if not isinstance(c, LookUp)), *plan(self.job, [], self._facts())]
        self.commands += commands
        told = [command.event for command in commands if isinstance(command, Publish)]
        self.events += told
        return told

    def _facts(self) -> Facts:
        return Facts(now=self.now, results=self.results, room=self.room)

    def authorize(self, hold: dict[str, int] | None = None, revision: int = 1) -> list[Event]:
        prices = {"version": "1", "unit_micros": {}}
        return self.happen(Authorized(revision, hold or PLENTY, prices))

    @property
    def requests(self) -> dict[str, StepRequested]:
        return {event.step_key: event for event in self.events if isinstance(event, StepRequested)}

    def open_requests(self) -> list[StepRequested]:
        flying = {step.key for step in self.job.in_flight}
        return [request for key, request in self.requests.items() if key in flying]

    def success(self, request: StepRequested) -> StepSucceeded:
        """What an executor would answer: values with digests, and usage within the limit."""
        outputs = {name: self._value(request, name) for name in OUTPUTS[request.node_type]}
        usage = [
            {"usage_id": usage_id(request.step_id, unit), "unit": unit, "quantity": max(1, quantity // 2)}
            for unit, quantity in request.limit.items()
        ]
        return StepSucceeded(request.step_id, outputs, [], usage, self.now)

    def failure(self, request: StepRequested, class_: str = "provider") -> StepFailedAt:
        error = {"class": class_, "code": "provider_failed", "message": "It did not work."}
        return StepFailedAt(request.step_id, error, [], [])

    def finish(self) -> None:
        """Answer everything until nothing is open."""
        while requests := self.open_requests():
            self.happen(*[self.success(request) for request in requests])

    def _value(self, request: StepRequested, port: str) -> dict[str, Any]:
        kind = OUTPUTS[request.node_type][port]
        value: dict[str, Any] = {
            "type": kind,
            "asset_id": asset_id(request.step_id, port),
            "sha256": request.fingerprint,
        }
        if kind in ("script", "storyboard"):
            value["items"] = [{"key": key, "sha256": f"{kind}-{key}", "characters": 60} for key in self.scenes]
        return value


OUTPUTS: dict[str, dict[str, str]] = {
    "Script.Generate": {"script": "script"},
    "Storyboard.Generate": {"storyboard": "storyboard"},
    "Input.KAI.GenerateImage": {"image": "image"},
    "Voice.TTS": {"speech": "speech"},
    "Subtitle.Auto": {"subtitles": "subtitles"},
    "Music.Generate": {"music": "music"},
    "Edit.Timeline": {"timeline": "timeline"},
    "Output.Render": {"video": "render", "thumbnail": "image", "srt": "file", "vtt": "file", "ass": "file"},
}


def spent_and_flying(job: Job) -> dict[str, int]:
    return units.add(job.spent, *(step.limit for step in job.in_flight))


def shown(job: Job) -> dict[str, Any]:
    """What of a job's state matters, without the times."""
    steps = {step.key: (step.status, step.outputs, step.usage) for step in job.steps}
    return {"status": job.status, "progress": job.progress, "outputs": job.outputs, "steps": steps}
