"""What the system says of itself: one description, its page, versions, states."""

from typing import Any

import httpx
import pytest

from fenta.contracts.routes import owner_of
from fenta.gateway.catalogue.merging import REFERENCE, merge
from tests.gateway.conftest import World
from tests.gateway.owners import FakeOwner

Owners = dict[str, FakeOwner]


def description(path: str, schema: dict[str, Any], name: str = "Thing") -> dict[str, Any]:
    operation = {
        "operationId": "get_thing",
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": REFERENCE + name}}}}},
    }
    holder = {"properties": {"things": {"items": {"$ref": REFERENCE + name}}}}
    return {
        "openapi": "3.1.0",
        "paths": {path: {"get": operation}, "/internal/quote": {"post": operation}, "/openapi.json": {"get": {}}},
        "components": {"schemas": {name: schema, f"{name}List": holder}},
    }


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for item in node for found in references(item)] if isinstance(node, list) else []


def test_equal_names_are_kept_apart_and_equal_schemas_are_shared() -> None:
    documents = {
        "workflow": description("/v1/jobs", {"type": "object"}),
        "render": description("/v1/renders", {"type": "string"}),
        "billing": description("/v1/usage", {"type": "object"}),
    }
    merged = merge(documents, title="T", version="1", servers=["http://x"])
    assert merged["openapi"] == "3.1.0"
    assert set(merged["paths"]) == {"/v1/jobs", "/v1/renders", "/v1/usage"}
    schemas = merged["components"]["schemas"]
    assert (schemas["Thing"], schemas["RenderThing"]) == ({"type": "object"}, {"type": "string"})
    assert "BillingThing" not in schemas
    assert {reference.removeprefix(REFERENCE) for reference in references(merged)} <= schemas.keys()
    assert references(merged["paths"]["/v1/renders"]) == [REFERENCE + "RenderThing"]
    assert references(schemas["RenderThingList"]) == [REFERENCE + "RenderThing"]
    operations = [item["get"] for item in merged["paths"].values()]
    assert {(one["operationId"], *one["tags"]) for one in operations} == {
        ("workflow_get_thing", "workflow"), ("render_get_thing", "render"), ("billing_get_thing", "billing"),
    }  # fmt: skip


async def test_one_description_of_everything_that_survives_an_owner(client: httpx.AsyncClient, owners: Owners) -> None:
    owners["workflow"].on("GET", "/openapi.json", description("/v1/jobs", {"type": "object"}))
    first = (await client.get("/v1/openapi.json")).json()
    assert {"/v1/jobs", "/v1/auth/login", "/v1/assets/{asset_id}", "/v1/jobs/{job_id}/events"} <= first["paths"].keys()
    assert "/v1/jobs/{rest}" not in first["paths"]
    assert not any(path.startswith("/internal") for path in first["paths"])
    assert first["servers"] == [{"url": "http://localhost:8000"}]
    for path in first["paths"]:
        assert owner_of(path) or path.startswith(("/.well-known/", "/v1/version", "/v1/status"))
    await owners["workflow"].stop()
    assert (await client.get("/v1/openapi.json")).json() == first


def test_what_the_gateway_composes_has_the_owners_question_and_its_own_answer() -> None:
    question = {"post": {"operationId": "estimate", "requestBody": {"a": 1}, "responses": {"200": {"x": 1}}}}
    answer = {"post": {"operationId": "estimate", "responses": {"200": {"y": 1}}}}
    path = "/v1/jobs/estimate"
    documents = {"gateway": {"paths": {path: answer}}, "workflow": {"paths": {path: question}}}
    operation = merge(documents, title="T", version="1", servers=[])["paths"][path]["post"]
    assert (operation["requestBody"], operation["responses"]) == ({"a": 1}, {"200": {"y": 1}})


async def test_status_names_each_service(world: World, owners: Owners) -> None:
    ready = {name: {"status": "ok", "checks": {}} for name in owners} | {"render": {"status": "degraded"}}
    for name, owner in owners.items():
        owner.on("GET", "/readyz", ready[name])
    await owners["notifier"].stop()
    async with world.client() as client:
        answer = (await client.get("/v1/status")).json()
    assert answer["status"] == "degraded"
    assert {name: state["status"] for name, state in answer["services"].items()} == {
        "gateway": "operational", "workflow": "operational", "generation": "operational", "render": "degraded",
        "billing": "operational", "notifier": "down",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/v1/docs", "text/html"), ("/v1/docs/app.js", "text/javascript"), ("/v1/docs/style.css", "text/css")],
)
async def test_the_page_needs_nobody_else(client: httpx.AsyncClient, path: str, media_type: str) -> None:
    answer = await client.get(path)
    assert answer.headers["content-type"].startswith(media_type)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text


async def test_the_version(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/version")).json() == {"version": "0.1.0", "api": "v1"}
