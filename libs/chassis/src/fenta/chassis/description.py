"""What a service says of itself: OpenAPI 3.1, with the problem document that every refusal is."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

SCHEMAS = "#/components/schemas/"


class ProblemError(BaseModel):
    """One mistake in a request."""

    pointer: str = Field(description="where: a JSON pointer into the body, or the parameter")
    code: str
    detail: str


class Problem(BaseModel):
    """Why a request was refused, by RFC 9457. Act on `code`: it never changes its meaning."""

    type: str = Field(description="the page that explains the code")
    title: str
    status: int
    code: str = Field(examples=["not_found"])
    detail: str
    instance: str = Field(description="the path that was asked for")
    request_id: str
    hint: str | None = Field(None, description="what to do about it")
    errors: list[ProblemError] | None = Field(None, description="every mistake of the request")


def _refusals(meaning: str) -> dict[str, Any]:
    schema = {"$ref": f"{SCHEMAS}{Problem.__name__}"}
    return {"description": meaning, "content": {"application/problem+json": {"schema": schema}}}


REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": _refusals("The request is refused, and nothing has happened."),
    "5XX": _refusals("Something is wrong or away on our side; the same request may be sent again."),
}


class DescribedApp(FastAPI):
    """An app whose routes are named by their functions, and whose description holds the problem document."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, responses=REFUSALS, generate_unique_id_function=_name)

    def openapi(self) -> dict[str, Any]:
        made = self.openapi_schema is not None
        document = super().openapi()
        if not made:
            problem = Problem.model_json_schema(mode="serialization", ref_template=SCHEMAS + "{model}")
            parts = problem.pop("$defs")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= parts | {Problem.__name__: problem}
        return document


def _name(route: APIRoute) -> str:
    return route.name
