"""Requests reach the owner of their path as the caller, and answers come back as they are."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from aiohttp import web
from sqlalchemy import text

from fenta.chassis.identity import Verifier
from tests.gateway.conftest import PUBLIC_KEYS, World, bearer, make_pat, register
from tests.gateway.owners import FakeOwner
from tests.test_routes import operations
from tools.apps import app_of

Owners = dict[str, FakeOwner]
Headers = dict[str, str]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/jobs", "workflow"),
        ("/v1/video/job_1/status", "workflow"),
        ("/v1/models", "generation"),
        ("/v1/voices", "generation"),
        ("/v1/renders", "render"),
        ("/v1/tokens/balance", "billing"),
        ("/v1/usage", "billing"),
        ("/v1/webhooks", "notifier"),
        ("/api/v1/webhooks", "notifier"),
        ("/api/webhooks/deliveries", "notifier"),
    ],
)
async def test_a_path_goes_to_its_owner(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers, path: str, owner: str
) -> None:
    answer = await client.get(f"{path}?limit=2&status=a,b", headers=session_headers)
    assert answer.json()["owner"] == owner
    asked = owners[owner].last()
    assert asked.path == path.replace("/api/v1/", "/v1/").replace("/api/", "/v1/")
    assert asked.query == "limit=2&status=a,b"


async def test_the_owner_learns_who_asks_and_from_us_alone(
    client: httpx.AsyncClient, owners: Owners, signed_in: dict[str, object], session_headers: Headers
) -> None:
    made = await make_pat(client, session_headers, "webhooks:read", "read")
    forged = {"fenta-identity": "forged", "cookie": "a=b", "x-forwarded-for": "1.2.3.4", "te": "trailers"}
    answer = await client.get("/v1/webhooks", headers=bearer(made["token"]) | forged)
    asked = owners["notifier"].last()
    identity = Verifier(PUBLIC_KEYS).identity(asked.headers["fenta-identity"], audience="notifier")
    user = signed_in["user"]
    assert isinstance(user, dict)
    assert (identity.user_id, identity.org_id) == (user["id"], user["organisations"][0]["id"])
    assert (identity.role, identity.plan, identity.credential) == ("owner", "pro", "access_token")
    assert identity.scopes == ("read", "webhooks:read")
    assert identity.request_id == asked.headers["request-id"] == answer.headers["request-id"]
    assert identity.new_id is None
    assert asked.identity["exp"] - asked.identity["iat"] == 60
    assert not {"authorization", "cookie", "x-forwarded-for", "te"} & asked.headers.keys()
    assert asked.headers["host"] in owners["notifier"].url
    assert asked.headers["traceparent"].startswith("00-")


async def test_bodies_and_answers_pass_as_they_are(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        headers = {"X-Reason": "because", "Set-Cookie": "a=b", "Keep-Alive": "3", "ETag": '"v7"', "Location": "/v1/x"}
        return web.json_response({"code": "x"}, status=422, headers=headers, content_type="application/problem+json")

    owners["notifier"].on("POST", "/v1/webhooks", refuse)
    answer = await client.post("/v1/webhooks", headers=session_headers, content=b'{"a": [1, 2]}')
    assert owners["notifier"].last().body == b'{"a": [1, 2]}'
    assert (answer.status_code, answer.json()) == (422, {"code": "x"})
    assert (answer.headers["etag"], answer.headers["x-reason"], answer.headers["location"]) == (
        '"v7"', "because", "/v1/x",
    )  # fmt: skip
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "set-cookie" not in answer.headers
    assert "keep-alive" not in answer.headers


async def test_a_compressed_answer_stays_compressed_for_those_who_asked(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    async def squeezed(request: web.Request) -> web.Response:
        response = web.json_response({"text": "x" * 5000})
        response.enable_compression()
        return response

    owners["generation"].on("GET", "/v1/models", squeezed)
    for accepted, encoding in (("gzip", "gzip"), ("identity", None)):
        answer = await client.get("/v1/models", headers=session_headers | {"accept-encoding": accepted})
        assert answer.headers.get("content-encoding") == encoding
        assert answer.json() == {"text": "x" * 5000}


async def test_an_owner_that_is_away_is_named_and_nobody_else_suffers(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    await owners["notifier"].stop()
    answer = await client.get("/v1/webhooks", headers=session_headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.json()["service"] == "notifier"
    assert answer.headers["retry-after"] == "5"
    assert "ratelimit" in answer.headers
    assert (await client.get("/v1/models", headers=session_headers)).status_code == 200


async def test_an_owner_that_says_nothing_is_given_up(world: World, owners: Owners) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    owners["notifier"].on("GET", "/v1/webhooks", silent)
    async with world.client(owner_timeout_seconds=0.05) as client:
        headers = bearer((await register(client))["access_token"])
        answer = await client.get("/v1/webhooks", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


async def test_an_answer_streams_through(world: World, owners: Owners) -> None:
    """The first part is here before the owner has sent the second."""
    go_on = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b"second")
        return response

    owners["workflow"].on("GET", "/v1/jobs/x/log", slowly)
    async with world.served() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        headers = bearer((await register(client))["access_token"])
        async with client.stream("GET", "/v1/jobs/x/log", headers=headers) as answer:
            parts = answer.aiter_raw()
            assert await anext(parts) == b"first"
            go_on.set()
            assert b"".join([part async for part in parts]) == b"second"


async def test_a_large_body_streams_to_the_owner_up_to_the_limit(world: World, owners: Owners) -> None:
    async with world.served() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        headers = bearer((await register(client))["access_token"])
        body = json.dumps({"text": "x" * 900_000}).encode()
        assert (await client.post("/v1/webhooks", headers=headers, content=body)).status_code == 200
        assert owners["notifier"].last().body == body
        refused = await client.post("/v1/webhooks", headers=headers, content=b"x" * 1_100_000)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "path",
    ["/v1/nothing", "/v1/jobsx", "/v2/jobs", "/internal/quote", "/v1/jobs/../../internal/quote", "/v1/assets/.."],
)
async def test_what_nobody_owns_is_not_found(world: World, owners: Owners, path: str) -> None:
    async with world.served() as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith("HTTP/1.1 404")
    assert "application/problem+json" in answer
    assert not any(owner.asked for owner in owners.values())


async def test_a_known_path_with_another_method_says_so(client: httpx.AsyncClient, session_headers: Headers) -> None:
    answer = await client.put("/v1/me", headers=session_headers)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_unknown_query_names_are_refused_on_all_our_own_routes(
    client: httpx.AsyncClient, session_headers: Headers
) -> None:
    composed = ("POST", "/v1/jobs/estimate")  # its owner knows the names
    for method, path in set(operations(app_of("gateway").openapi())) - {composed}:
        answer = await client.request(method, path, params={"zzz": "1"}, headers=session_headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter"), f"{method} {path}"
    nearly = await client.get("/v1/assets?limt=3", headers=session_headers)
    assert nearly.json()["hint"] == "Did you mean limit?"


async def test_an_organisation_that_is_not_ones_own_is_refused(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    other = await register(client)
    foreign = {"fenta-org": other["user"]["organisations"][0]["id"]}
    made = await make_pat(client, session_headers, "read")
    for headers in (session_headers, bearer(made["token"])):
        answer = await client.get("/v1/jobs", headers=headers | foreign)
        assert (answer.status_code, answer.json()["code"]) == (403, "org_mismatch")
    assert not owners["workflow"].asked


async def test_a_member_of_two_organisations_chooses_and_a_token_cannot(
    world: World, client: httpx.AsyncClient, owners: Owners, signed_in: dict[str, Any], session_headers: Headers
) -> None:
    other = (await register(client))["user"]["organisations"][0]["id"]
    async with world.database.transaction() as session:
        add = text("INSERT INTO member (org_id, person_id, role) VALUES (:org_id, :person_id, 'viewer')")
        await session.execute(add, {"org_id": other, "person_id": signed_in["user"]["id"]})
    made = await make_pat(client, session_headers, "read")
    chosen = await client.get("/v1/jobs", headers=session_headers | {"fenta-org": other})
    assert chosen.status_code == 200
    identity = owners["workflow"].last().identity
    assert (identity["org_id"], identity["role"]) == (other, "viewer")
    refused = await client.get("/v1/jobs", headers=bearer(made["token"]) | {"fenta-org": other})
    assert (refused.status_code, refused.json()["code"]) == (403, "org_mismatch")
