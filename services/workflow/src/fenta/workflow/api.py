"""The routes of the workflow service: jobs, and the short spellings of making one."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from fenta.chassis import paging
from fenta.chassis.database import Database
from fenta.chassis.http import StrictRoute, caller
from fenta.chassis.identity import Identity
from fenta.contracts import nodes
from fenta.contracts.phases import phase_of
from fenta.workflow.models import JOB_FINAL, JOB_NEXT, Job
from fenta.workflow.repository import JobRepository
from fenta.workflow.schemas import JobRequest, VideoRequest
from fenta.workflow.service import WorkflowService
from fenta.workflow.views import Views

STATUSES = sorted({*JOB_NEXT, *JOB_FINAL})
PHASES = {phase_of(status) for status in STATUSES}
# What a list can be narrowed to beside the statuses themselves: words of the older interfaces.
OLDER_WORDS = {phase: [status for status in STATUSES if phase_of(status) == phase] for phase in PHASES} | {
    "processing": ["running"]
}

Read = Annotated[Identity, caller("jobs:read")]
Write = Annotated[Identity, caller("jobs:write", role="editor")]


class JobsQuery(paging.PageQuery):
    status: str | None = None
    kind: str | None = None
    root_job_id: str | None = None

    def statuses(self) -> list[str]:
        words = [word for word in (self.status or "").split(",") if word]
        return [status for word in words for status in OLDER_WORDS.get(word, [word])]

    def filters(self) -> dict[str, Any]:
        return self.model_dump(exclude={"limit", "cursor"})


class DryRun(BaseModel):
    dry_run: Literal["true", "false"] = "false"


class Jobs:
    """What the routes share: a job as its organisation may see it, and a job as an answer."""

    def __init__(self, service: WorkflowService, database: Database, views: Views) -> None:
        self._service = service
        self._database = database
        self.views = views

    async def read(self, identity: Identity, job_id: str) -> Job:
        async with self._database.api_transaction(identity.org_id) as session:
            return await JobRepository(session).get(job_id)

    async def page(self, identity: Identity, query: JobsQuery) -> tuple[Sequence[Job], str | None]:
        filters = query.filters()
        after = paging.behind(query.cursor, filters, str)
        async with self._database.api_transaction(identity.org_id) as session:
            found = await JobRepository(session).list(
                statuses=query.statuses(), kind=query.kind, root=query.root_job_id, after=after, limit=query.limit + 1
            )
        return paging.cut(found, query.limit, filters, lambda job: job.id)

    async def create(self, identity: Identity, request: JobRequest, dry: DryRun) -> Response:
        if dry.dry_run == "true":
            return JSONResponse(self._service.estimate(request))
        return self.accepted(await self._service.create_job(identity, request))

    def accepted(self, job: Job) -> Response:
        return JSONResponse(self.views.job(job), status_code=202, headers={"Location": f"/v1/jobs/{job.id}"})


def router(service: WorkflowService, database: Database, views: Views) -> APIRouter:
    """Reads run under row-level security; writes go through the use cases."""
    routes = APIRouter(route_class=StrictRoute)
    jobs = Jobs(service, database, views)
    _add_making(routes, service, jobs)
    _add_reading(routes, jobs)
    _add_parts(routes, jobs)
    _add_ending(routes, service, jobs)
    _add_node_types(routes)
    return routes


def _add_making(routes: APIRouter, service: WorkflowService, jobs: Jobs) -> None:
    @routes.post("/v1/jobs", status_code=202, summary="Make something")
    async def create_job(identity: Write, body: JobRequest, dry: Annotated[DryRun, Query()]) -> Response:
        return await jobs.create(identity, body, dry)

    @routes.post("/v1/jobs/estimate", summary="What a job would take")
    async def estimate_job(identity: Read, body: JobRequest) -> dict[str, Any]:
        return service.estimate(body)

    @routes.post("/v1/video/generate", status_code=202, summary="A video from a brief")
    async def generate_video(identity: Write, body: VideoRequest, dry: Annotated[DryRun, Query()]) -> Response:
        return await jobs.create(identity, body.job(), dry)


def _add_reading(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/v1/jobs", summary="Jobs, newest first")
    async def list_jobs(identity: Read, query: Annotated[JobsQuery, Query()]) -> dict[str, Any]:
        page, cursor = await jobs.page(identity, query)
        return {"data": [jobs.views.job(job) for job in page], "next_cursor": cursor}

    @routes.get("/v1/jobs/{job_id}", summary="One job")
    async def get_job(identity: Read, job_id: str) -> dict[str, Any]:
        return jobs.views.job(await jobs.read(identity, job_id))

    @routes.get("/v1/video/{job_id}/status", summary="How far a video is")
    async def video_status(identity: Read, job_id: str) -> dict[str, Any]:
        shown = jobs.views.job(await jobs.read(identity, job_id))
        wanted = ("id", "status", "phase", "progress", "eta_seconds", "current_step", "video_url", "thumbnail_url")
        return {name: shown[name] for name in (*wanted, "error", "updated_at")}


def _add_parts(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/v1/jobs/{job_id}/steps", summary="The steps of a job")
    async def list_steps(identity: Read, job_id: str) -> dict[str, Any]:
        job = await jobs.read(identity, job_id)
        return {"data": [jobs.views.step(job, step) for step in job.steps], "next_cursor": None}

    @routes.get("/v1/jobs/{job_id}/outputs", summary="What a job has made")
    async def list_outputs(identity: Read, job_id: str) -> dict[str, Any]:
        return {"data": jobs.views.outputs(await jobs.read(identity, job_id)), "next_cursor": None}

    @routes.get("/v1/jobs/{job_id}/manifest", summary="Where every part comes from")
    async def manifest(identity: Read, job_id: str) -> dict[str, Any]:
        return jobs.views.manifest(await jobs.read(identity, job_id))


def _add_ending(routes: APIRouter, service: WorkflowService, jobs: Jobs) -> None:
    @routes.post("/v1/jobs/{job_id}/cancel", status_code=202, summary="Stop a job")
    async def cancel_job(identity: Write, job_id: str) -> dict[str, Any]:
        job = await service.cancel_job(identity, job_id)
        flying = [{"step_key": step.key, "units": step.limit} for step in job.in_flight if step.limit]
        return {**jobs.views.job(job), "will_still_cost": flying}

    @routes.post("/v1/jobs/{job_id}/retry", status_code=202, summary="Go on from what failed, as a new job")
    async def retry_job(identity: Write, job_id: str) -> Response:
        return jobs.accepted(await service.retry_job(identity, job_id))

    @routes.delete("/v1/jobs/{job_id}", status_code=204, summary="Hide a job that has ended")
    async def delete_job(identity: Write, job_id: str) -> Response:
        await service.delete_job(identity, job_id)
        return Response(status_code=204)


def _add_node_types(routes: APIRouter) -> None:
    @routes.get("/v1/node-types", summary="What graphs are made of")
    async def node_types(identity: Read) -> dict[str, Any]:
        return {"data": [_node_type(kind) for kind in nodes.CATALOGUE.values()], "next_cursor": None}


def _node_type(kind: nodes.NodeType) -> dict[str, Any]:
    return {
        "type": kind.type,
        "version": kind.version,
        "title": kind.title,
        "inputs": [vars(port) for port in kind.inputs],
        "outputs": [vars(port) for port in kind.outputs],
        "params": kind.params.model_json_schema(),
        "class": kind.node_class,
        "lane": kind.lane,
    }
