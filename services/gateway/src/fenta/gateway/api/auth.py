"""Signing in and out, and oneself."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from fenta.chassis.errors import Problem
from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import Identity
from fenta.gateway.access.door import Door
from fenta.gateway.access.sessions import LIFETIME_SECONDS
from fenta.gateway.accounts.service import Accounts, SignedIn
from fenta.gateway.api.common import asking
from fenta.gateway.schemas import (
    LoginBody,
    LogoutBody,
    OrganisationList,
    OrganisationView,
    RefreshBody,
    RegisterBody,
    TokensView,
    UserView,
)


def router(accounts: Accounts, door: Door) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)

    @routes.post("/v1/auth/register", status_code=201, summary="Make an account and its own organisation")
    async def register(body: RegisterBody, request: Request) -> TokensView:
        identity: Identity | None = getattr(request.state, "identity", None)
        signed_in = await accounts.register(
            email=body.email,
            password=body.password,
            name=body.name,
            org_name=body.org_name,
            key=identity.new_id if identity else None,
        )
        return _tokens(signed_in)

    @routes.post("/v1/auth/login", summary="Sign in")
    async def login(body: LoginBody) -> TokensView:
        return _tokens(await accounts.login(email=body.email, password=body.password))

    @routes.post("/v1/auth/refresh", summary="Exchange a refresh token for a new pair")
    async def refresh(body: RefreshBody) -> TokensView:
        return _tokens(await accounts.refresh(body.refresh_token))

    @routes.post("/v1/auth/logout", status_code=204, summary="End this sign-in, or with ?all=true all of them")
    async def logout(request: Request, body: LogoutBody | None = None, all: bool = False) -> Response:
        token = body.refresh_token if body else None
        sign_in = None if token else _sign_in_of(door, request)
        await accounts.logout(refresh_token=token, sign_in_id=sign_in, everywhere=all)
        return Response(status_code=204)

    @routes.get("/v1/me", summary="Who I am")
    @routes.get("/v1/auth/me", include_in_schema=False)
    async def me(identity: Annotated[Identity, asking()]) -> UserView:
        person, organisations = await accounts.me(identity.user_id)
        return UserView.of(person, organisations)

    @routes.get("/v1/orgs", summary="My organisations")
    async def orgs(identity: Annotated[Identity, asking("org:read")]) -> OrganisationList:
        found = await accounts.organisations(identity.user_id)
        return OrganisationList(data=[OrganisationView.of(each) for each in found])

    return routes


def _tokens(signed_in: SignedIn) -> TokensView:
    return TokensView.of(signed_in, expires_in=LIFETIME_SECONDS)


def _sign_in_of(door: Door, request: Request) -> str | None:
    """The session in the Authorization header; one that has expired is signed out already."""
    try:
        session = door.read(request.headers.get("authorization")).session
    except Problem as problem:
        if problem.code == "token_expired":
            return None
        raise
    return session.sign_in_id if session else None
