"""Live updates of a job: as a stream for those who follow, as a list for those who look."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from fenta.chassis.errors import NotFound, Problem
from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import Identity
from fenta.contracts.ids import ID_PATTERN
from fenta.gateway.api.common import asking
from fenta.gateway.forwarding.forward import passed_on
from fenta.gateway.forwarding.owners import Owners
from fenta.gateway.live.channels import job_channel
from fenta.gateway.live.stream import Streams
from fenta.gateway.models import Channel
from fenta.gateway.schemas import EventList

STREAM = "text/event-stream"
After = Annotated[int, Query(ge=0, description="the `seq` of the last message that is known already")]


def router(streams: Streams, owners: Owners) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)

    @routes.get(
        "/v1/jobs/{job_id}/events",
        summary="What happens to a job, as text/event-stream or as a list",
        response_model=EventList,
        responses={
            200: {"content": {STREAM: {"schema": {"type": "string"}}}},
            204: {"description": "The stream is over and there is nothing left"},
        },
    )
    async def job_events(
        job_id: str,
        request: Request,
        *,
        identity: Annotated[Identity, asking("jobs:read")],
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response | EventList:
        name = job_channel(job_id)
        seen = max(after, _number(last_event_id))
        channel = await _known(streams, owners, identity, job_id)
        if isinstance(channel, Response):
            return channel
        if STREAM not in request.headers.get("accept", ""):
            return await _list(streams, identity.org_id, name, seen, limit)
        if channel and channel.ended_at and seen >= channel.last_seq:
            return Response(status_code=204)
        frames = streams.follow(identity.org_id, name, after=seen)
        return StreamingResponse(frames, media_type=STREAM, headers={"X-Accel-Buffering": "no"})

    return routes


async def _known(streams: Streams, owners: Owners, identity: Identity, job_id: str) -> Channel | Response | None:
    """The job's channel; None when only the workflow knows the job yet; its answer when it does not."""
    if not ID_PATTERN.match(job_id):
        raise NotFound("job")
    channel = await streams.find(identity.org_id, job_channel(job_id))
    if channel:
        return channel
    answer = await owners.ask("workflow", "GET", f"/v1/jobs/{job_id}", identity=identity)
    return None if answer.status == 200 else passed_on(answer)


async def _list(streams: Streams, org_id: str, name: str, after: int, limit: int) -> EventList:
    found = await streams.page(org_id, name, after=after, rows=limit)
    return EventList(data=found, next_cursor=str(found[-1]["seq"]) if len(found) == limit else None)


def _number(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem("cursor_invalid", "Last-Event-ID is the number of a message.")
    return int(text)
