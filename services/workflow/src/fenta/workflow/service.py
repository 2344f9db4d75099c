"""Use cases of the workflow service: jobs are asked for, events move them, people cancel and retry them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.errors import Conflict, PermanentError, Problem
from fenta.chassis.identity import Identity
from fenta.chassis.messages import Message
from fenta.chassis.storage import Storage
from fenta.chassis.telemetry import traceparent
from fenta.contracts import documents
from fenta.contracts.events import (
    AssetGenerated,
    JobAuthorized,
    JobEvent,
    JobRefused,
    JobRequested,
    RenderCompleted,
    StepFailed,
    StepProgressed,
    StepResult,
)
from fenta.contracts.ids import asset_id, new_id, step_id
from fenta.contracts.values import Asset, Lineage, Value, storage_key
from fenta.workflow import metrics
from fenta.workflow.compile import Compiled, compile_request
from fenta.workflow.estimate import estimate
from fenta.workflow.hearing import Hearing
from fenta.workflow.limits import Room
from fenta.workflow.models import Job
from fenta.workflow.plan import (
    Authorized,
    CancelAsked,
    Happening,
    Progressed,
    Refused,
    StepFailedAt,
    StepSucceeded,
    Woken,
)
from fenta.workflow.plan.timers import BILLING_PATIENCE, LONGEST_JOB
from fenta.workflow.planning import Planner
from fenta.workflow.repository import JobRepository
from fenta.workflow.schemas import JobRequest

HOLD_REST = timedelta(days=8)
DUE_BATCH = 50
HEARING_PAUSE = timedelta(seconds=10)
KEPT_BY_A_REPEAT = (
    "org_id",
    "project_id",
    "root_job_id",
    "title",
    "kind",
    "labels",
    "priority",
    "on_budget",
    "reuse",
    "max_cost_micros",
    "weight",
    "graph",
    "inputs",
    "size",
    "estimate",
)


class WorkflowService:
    """Owns jobs and steps. Every change of a job goes through its plan, under the job's row lock."""

    def __init__(self, *, database: Database, storage: Storage, planner: Planner, room: Room, hearing: Hearing) -> None:
        self._database = database
        self._hearing = hearing
        self._storage = storage
        self._planner = planner
        self._room = room

    # --- people -------------------------------------------------------------------------------------------------------

    def estimate(self, request: JobRequest) -> dict[str, Any]:
        """What the request would take; nothing is stored."""
        compiled = self._compile(request)
        return {"valid": True, "problems": [], "notes": compiled.notes, **estimate(compiled)}

    async def create_job(self, identity: Identity, request: JobRequest) -> Job:
        """Store a job and tell of it. The same `new_id` again answers with the job that is there."""
        compiled = self._compile(request)
        job_id = new_id("job", value=identity.new_id)
        given = await self._store_script(identity.org_id, job_id, compiled)
        async with self._database.api_transaction(identity.org_id) as session:
            jobs = JobRepository(session)
            await jobs.serialise(job_id)
            if existing := await jobs.find(job_id):
                return existing
            await self._require_room(jobs, identity.org_id)
            await self._fill_uploads(jobs, compiled)
            job = _new_job(job_id, identity, compiled, request, weight=self._room.weight)
            self._store(session, job)
            if given:
                session.publish(given)
        crash_point("job.stored")
        return job

    def _store(self, session: Session, job: Job) -> None:
        session.add(job)
        session.publish(_requested(job))
        metrics.jobs_created.labels(job.kind, job.priority).inc()

    def _compile(self, request: JobRequest) -> Compiled:
        compiled = compile_request(request)
        if compiled.size.seconds > self._room.longest_seconds and compiled.kind == "brief":
            detail = f"The plan allows {self._room.longest_seconds} seconds; {compiled.size.seconds} are wanted."
            raise Problem("plan_required", detail, extra={"limit_seconds": self._room.longest_seconds})
        return compiled

    async def _require_room(self, jobs: JobRepository, org_id: str) -> None:
        if await jobs.open_jobs(org_id) >= self._room.jobs_waiting:
            detail = f"{self._room.jobs_waiting} jobs wait already."
            raise Problem("too_many_jobs", detail, hint="Wait until one has ended.", headers={"Retry-After": "30"})

    async def _store_script(self, org_id: str, job_id: str, compiled: Compiled) -> AssetGenerated | None:
        """A given script becomes an asset and is pinned: its node completes with it and nothing runs."""
        if compiled.script is None:
            return None
        data = documents.encode(compiled.script)
        sha256 = await self._storage.put(org_id, data, media_type=documents.media_type_of("script"))
        step = step_id(job_id, "script")
        asset = Asset(
            asset_id=asset_id(step, "script"),
            kind="script",
            media_type=documents.media_type_of("script"),
            sha256=sha256,
            size_bytes=len(data),
            storage_key=storage_key(org_id, sha256),
            lineage=Lineage(provider="given", model="given", synthetic=False),
        )
        items = documents.items_of(compiled.script)
        value = Value(type="script", asset_id=asset.asset_id, sha256=sha256, items=items)
        _pin(compiled, "script", {"script": value.model_dump(mode="json")})
        now = datetime.now(UTC)
        return AssetGenerated(
            org_id=org_id,
            job_id=job_id,
            step_id=step,
            step_key="script",
            node_type="Script.Generate",
            step_type="SCRIPT",
            outputs={"script": value},
            assets=[asset],
            started_at=now,
            completed_at=now,
        )

    async def _fill_uploads(self, jobs: JobRepository, compiled: Compiled) -> None:
        """Upload nodes complete with the assets they name. Raises `graph_invalid` for one that is not there."""
        for node in compiled.graph.nodes:
            if node.type == "Input.Upload":
                values = [await _library_value(jobs, name) for name in node.params["asset_ids"]]
                listed = [{"key": f"a{number}", "value": value} for number, value in enumerate(values, start=1)]
                _pin(compiled, node.id, {"asset": values[0], "assets": listed})

    async def cancel_job(self, identity: Identity, job_id: str) -> Job:
        """Stop a job; what is paid already may still cost. Again gives the same answer."""
        async with self._database.api_transaction(identity.org_id) as session:
            job = await JobRepository(session).get_for_update(job_id)
            if job.final and job.status != "cancelled":
                raise Conflict("job_final", f"The job is {job.status}.")
            await self._planner.plan(session, job, [CancelAsked(by=identity.user_id)])
        return job

    async def retry_job(self, identity: Identity, job_id: str) -> Job:
        """A new job of the same family: finished work costs nothing again."""
        async with self._database.api_transaction(identity.org_id) as session:
            jobs = JobRepository(session)
            new = new_id("job", value=identity.new_id)
            await jobs.serialise(new)
            if existing := await jobs.find(new):
                return existing
            origin = await jobs.get(job_id)
            if origin.status not in ("failed", "cancelled"):
                raise Conflict("job_not_failed", f"The job is {origin.status}.")
            await self._require_room(jobs, identity.org_id)
            job = _repeated(new, identity, origin)
            self._store(session, job)
        return job

    async def delete_job(self, identity: Identity, job_id: str) -> None:
        """Hide a job that has ended; a second time is fine too."""
        async with self._database.api_transaction(identity.org_id) as session:
            job = (await JobRepository(session).lock([job_id])).get(job_id)
            if job is None:
                await JobRepository(session).get(job_id)
            elif not job.final:
                raise Conflict("job_not_final", f"The job is {job.status}.", hint="Cancel it first.")
            else:
                job.deleted_at = job.deleted_at or datetime.now(UTC)

    # --- events -------------------------------------------------------------------------------------------------------

    async def fold_events(self, session: Session, messages: Sequence[Message[Any]]) -> None:
        """All events of a batch, job by job. Raises PermanentError for a job or step that never was."""
        happenings = _by_job(messages)
        jobs = await JobRepository(session).lock(sorted(happenings))
        if strangers := happenings.keys() - jobs.keys():
            raise PermanentError(f"there is no job {min(strangers)}")
        for job_id, job in jobs.items():
            await self._planner.plan(session, job, happenings[job_id])
        crash_point("job.planned")

    async def fold_progress(self, session: Session, messages: Sequence[Message[StepProgressed]]) -> None:
        """Live numbers: those of jobs that ended, or of steps nobody knows, mean nothing."""
        happenings = _by_job(messages)
        for job in (await JobRepository(session).lock(sorted(happenings))).values():
            known = {step.id for step in job.steps}
            told = [progress for progress in happenings[job.id] if getattr(progress, "step_id", "") in known]
            if told and not job.final:
                await self._planner.plan(session, job, told)

    async def wake_due(self) -> int:
        """Look at the jobs whose time has come; answers how many there were.

        Billing's silence counts only while it could have been heard.
        """
        async with self._database.transaction() as session:
            now = datetime.now(UTC)
            jobs = await JobRepository(session).lock_due(now, DUE_BATCH)
            for job in jobs:
                if job.status == "pending" and not self._hearing.is_good:
                    job.wake_at = now + HEARING_PAUSE
                else:
                    await self._planner.plan(session, job, [Woken()])
            if jobs:
                crash_point("job.woken")
        return len(jobs)

    async def measure(self) -> None:
        async with self._database.transaction() as session:
            counted = await JobRepository(session).by_status()
        for status in ("pending", "queued", "running", "waiting_for_budget", "cancelling", "failing"):
            metrics.active_jobs.labels(status).set(counted.get(status, 0))


def _by_job(messages: Sequence[Message[Any]]) -> dict[str, list[Happening]]:
    found: dict[str, list[Happening]] = defaultdict(list)
    for message in messages:
        # Documents given by people are told of by this service itself; their nodes are pinned already.
        happening = None if message.source == "workflow" else _happening(message.event)
        if happening is not None:
            found[message.event.job_id].append(happening)
    return dict(found)


def _happening(event: JobEvent) -> Happening | None:
    match event:
        case JobAuthorized():
            return Authorized(event.revision, event.hold, _prices(event))
        case JobRefused():
            return Refused(event.revision, event.code, event.message, event.missing)
        case StepProgressed():
            return Progressed(event.step_id, event.progress)
        case AssetGenerated() | RenderCompleted():
            return _succeeded(event)
        case StepFailed():
            shown = event.model_dump(mode="json", by_alias=True)
            return StepFailedAt(event.step_id, shown["error"], shown["tries"], shown["usage"])
        case _:
            return None


def _prices(event: JobAuthorized) -> dict[str, Any]:
    return {
        "version": event.price_version,
        "unit_micros": event.unit_prices_micros,
        "cost_limit_micros": event.cost_limit_micros,
    }


def _succeeded(event: StepResult) -> StepSucceeded:
    shown = event.model_dump(mode="json", by_alias=True)
    return StepSucceeded(event.step_id, shown["outputs"], shown["assets"], shown["usage"], event.started_at)


def _pin(compiled: Compiled, node_id: str, outputs: dict[str, Any]) -> None:
    nodes = [
        node.model_copy(update={"settings": node.settings.model_copy(update={"pin": outputs})})
        if node.id == node_id
        else node
        for node in compiled.graph.nodes
    ]
    compiled.graph = compiled.graph.with_nodes(nodes)


async def _library_value(jobs: JobRepository, asset: str) -> dict[str, Any]:
    found = await jobs.find_asset(asset)
    if found is None:
        raise Problem("graph_invalid", f"There is no asset {asset[:80]}.")
    return Value(type=found["kind"], asset_id=asset, sha256=found["sha256"]).model_dump(mode="json")


def _new_job(job_id: str, identity: Identity, compiled: Compiled, request: JobRequest, *, weight: int) -> Job:
    now = datetime.now(UTC)
    return Job(
        id=job_id,
        org_id=identity.org_id,
        root_job_id=job_id,
        created_by=identity.user_id,
        title=compiled.title,
        kind=compiled.kind,
        source=compiled.source,
        labels=request.metadata,
        priority=request.priority,
        on_budget=request.on_budget,
        reuse=request.reuse,
        max_cost_micros=request.max_cost.amount_micros if request.max_cost else None,
        weight=weight,
        graph=compiled.graph.frozen(),
        inputs=compiled.inputs,
        size=compiled.size.model_dump(),
        estimate=estimate(compiled),
        **_fresh(now),
    )


def _fresh(now: datetime) -> dict[str, Any]:
    """How every job begins."""
    return {
        "status": "pending",
        "progress": 0,
        "hold": {},
        "revision": 0,
        "asked_revision": 1,
        "prices": {},
        "outputs": {},
        "traceparent": traceparent.get(),
        "deadline_at": now + LONGEST_JOB,
        "wake_at": now + BILLING_PATIENCE,
        "created_at": now,
        "updated_at": now,
        "steps": [],
    }


def _repeated(job_id: str, identity: Identity, origin: Job) -> Job:
    return Job(
        id=job_id,
        parent_job_id=origin.id,
        created_by=identity.user_id,
        source={**origin.source, "kind": "retry", "origin_job_id": origin.id},
        **{name: getattr(origin, name) for name in KEPT_BY_A_REPEAT},
        **_fresh(datetime.now(UTC)),
    )


def _requested(job: Job) -> JobRequested:
    shown = job.estimate
    seconds = shown["duration_seconds"]
    return JobRequested(
        org_id=job.org_id,
        project_id=job.project_id,
        job_id=job.id,
        root_job_id=job.root_job_id,
        title=job.title,
        requested_by=job.created_by,
        source=job.source,
        metadata=job.labels,
        priority=job.priority,
        on_budget=job.on_budget,
        max_cost_micros=job.max_cost_micros,
        steps=shown["steps"],
        estimate={**shown["units"], "duration_ms": {name: value * 1000 for name, value in seconds.items()}},
        requested_at=job.created_at,
        deadline_at=job.deadline_at,
        hold_expires_at=job.deadline_at + HOLD_REST,
    )
