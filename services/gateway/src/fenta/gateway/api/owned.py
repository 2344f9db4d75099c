"""Everything that other services own: passed on, priced first where it spends."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from fenta.chassis.errors import NotFound
from fenta.contracts.routes import PREFIXES, owner_of
from fenta.gateway.api.common import identity_of
from fenta.gateway.estimates import Estimates
from fenta.gateway.forwarding.forward import forward, passed_on
from fenta.gateway.forwarding.owners import Answer, Owners
from fenta.gateway.schemas import EstimateView

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
SPENDING = ("/v1/jobs", "/v1/video/generate")
ESTIMATE = "/v1/jobs/estimate"


def router(owners: Owners, estimates: Estimates) -> APIRouter:
    routes = APIRouter()

    async def spend(request: Request) -> Response:
        """A job: the hopeless are refused before anything is made."""
        identity, body = identity_of(request), await request.body()
        query = _query(request)
        if request.query_params.get("dry_run") == "true":
            return _estimate(await estimates.compose(identity, request.url.path, query, body))
        # An earlier try may have made the job and hold what this one would find missing.
        if not getattr(request.state, "repeated", False):
            await estimates.require_affordable(identity, request.url.path, query, body)
        return await forward(owners, "workflow", request, body=body)

    async def estimate(request: Request) -> Response:
        identity, body = identity_of(request), await request.body()
        return _estimate(await estimates.compose(identity, ESTIMATE, _query(request), body))

    async def pass_on(request: Request) -> Response:
        identity_of(request)
        owner = owner_of(request.url.path)
        if owner is None or owner == "gateway":
            raise NotFound("page")
        return await forward(owners, owner, request)

    for path in SPENDING:
        routes.add_api_route(path, spend, methods=["POST"], include_in_schema=False)
    routes.add_api_route(
        ESTIMATE, estimate, methods=["POST"], summary="What a job would take and cost", response_model=EstimateView
    )
    for prefix, owner in PREFIXES.items():
        if owner != "gateway":
            for path in (prefix, prefix + "/{rest:path}"):
                routes.add_api_route(path, pass_on, methods=METHODS, include_in_schema=False)
    return routes


def _query(request: Request) -> str:
    raw: bytes = request.scope["query_string"]
    return raw.decode("ascii", errors="replace")


def _estimate(composed: dict[str, object] | Answer) -> Response:
    return passed_on(composed) if isinstance(composed, Answer) else JSONResponse(composed)
