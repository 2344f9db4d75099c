"""Personal access tokens; only people who signed in make and revoke them."""

from typing import Annotated

from fastapi import APIRouter, Response

from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import Identity
from fenta.gateway.access.tokens import AccessTokens
from fenta.gateway.api.common import in_session
from fenta.gateway.schemas import AccessTokenBody, AccessTokenList, AccessTokenView, NewAccessTokenView

Person = Annotated[Identity, in_session()]


def router(tokens: AccessTokens) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute)

    @routes.get("/v1/access-tokens", summary="My access tokens")
    async def list_tokens(identity: Person) -> AccessTokenList:
        return AccessTokenList(data=[AccessTokenView.of(token) for token in await tokens.list(identity)])

    @routes.post("/v1/access-tokens", status_code=201, summary="Make an access token; it is shown this once")
    async def create_token(body: AccessTokenBody, identity: Person) -> NewAccessTokenView:
        token, secret = await tokens.create(identity, name=body.name, scopes=body.scopes, expires_at=body.expires_at)
        return NewAccessTokenView(**AccessTokenView.of(token).model_dump(mode="python"), token=secret)

    @routes.delete("/v1/access-tokens/{token_id}", status_code=204, summary="Revoke an access token")
    async def revoke_token(token_id: str, identity: Person) -> Response:
        await tokens.revoke(identity, token_id)
        return Response(status_code=204)

    return routes
