"""The catalogues that generation serves."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from fenta.chassis.http import StrictRoute
from fenta.chassis.identity import HEADER, Identity
from fenta.contracts.models import Capability
from fenta.generation import catalogue
from fenta.generation.catalogue import ModelEntry, VoiceEntry


class Models(BaseModel):
    data: list[ModelEntry]
    next_cursor: str | None = None


class Voices(BaseModel):
    data: list[VoiceEntry]
    next_cursor: str | None = None


def anyone(request: Request) -> Identity:
    """Whoever the gateway speaks for: the catalogues are open to every scope."""
    identity: Identity = request.app.state.verifier.identity(request.headers.get(HEADER), audience="generation")
    return identity


Reader = Annotated[Identity, Depends(anyone)]
Language = Annotated[str | None, Query(max_length=40, description="BCP 47; `fr-CA` finds `fr`")]


def router() -> APIRouter:
    routes = APIRouter(route_class=StrictRoute, tags=["catalogues"])

    @routes.get("/v1/models", summary="Models that can do the work")
    async def models(_identity: Reader, capability: Capability | None = None) -> Models:
        return Models(data=catalogue.models(capability))

    @routes.get("/v1/voices", summary="Voices that can speak")
    async def voices(
        _identity: Reader, language: Language = None, kind: Literal["stock", "clone"] | None = None
    ) -> Voices:
        return Voices(data=catalogue.voices(language, kind))

    return routes
