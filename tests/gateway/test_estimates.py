"""What spends can be priced first, and is refused when it is hopeless."""

import json
from typing import Any

import httpx
import pytest
from aiohttp import web

from fenta.gateway.schemas import EstimateView
from tests.gateway.conftest import bearer, make_pat
from tests.gateway.owners import QUOTE, UNITS, FakeOwner

Owners = dict[str, FakeOwner]
Headers = dict[str, str]
BRIEF = {"topic": "Why the night sky is dark", "duration_seconds": 30}


def on_quote(owners: Owners, **changes: Any) -> None:
    owners["billing"].on("POST", "/internal/quote", QUOTE | changes)


@pytest.fixture
def priced(owners: Owners) -> Owners:
    """A workflow that knows the units, and billing with enough left."""
    for path in ("/v1/jobs", "/v1/jobs/estimate", "/v1/video/generate"):
        owners["workflow"].on("POST", path, UNITS)
    on_quote(owners)
    return owners


@pytest.mark.parametrize("path", ["/v1/jobs/estimate", "/v1/jobs?dry_run=true", "/v1/video/generate?dry_run=true"])
async def test_an_estimate_is_composed_of_units_and_prices(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers, path: str
) -> None:
    answer = await client.post(path, headers=session_headers, json=BRIEF | {"max_cost": {"amount_micros": 7}})
    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "problems": [],
        "cost": {
            "low": {"amount_micros": 320_000, "currency": "USD"},
            "high": {"amount_micros": 1_100_000, "currency": "USD"},
        },
        "units": [
            {"unit": "kai_credits", "low": 8, "high": 20, "included_left": 400, "overage": 0},
            {"unit": "render_seconds", "low": 0, "high": 60, "included_left": 100, "overage": 0},
        ],
        "nodes": UNITS["nodes"],
        "duration_seconds": {"low": 20, "high": 60},
        "notes": UNITS["notes"],
        "quota": {"ok": True, "code": None, "short": []},
    }
    assert EstimateView.model_validate(answer.json()).model_dump().keys() == answer.json().keys()
    assert json.loads(priced["billing"].last().body) == {
        "low": {"kai_credits": 8}, "high": {"kai_credits": 20, "render_seconds": 60}, "max_cost_micros": 7,
    }  # fmt: skip
    assert [asked.method for asked in priced["workflow"].asked] == ["POST"]


@pytest.mark.parametrize("away", ["workflow", "billing"])
async def test_an_estimate_needs_both(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers, away: str
) -> None:
    await priced[away].stop()
    answer = await client.post("/v1/jobs/estimate", headers=session_headers, json=BRIEF)
    assert (answer.status_code, answer.json()["service"]) == (503, away)


async def test_what_the_workflow_or_billing_refuses_is_told_as_it_is(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers
) -> None:
    priced["billing"].on("POST", "/internal/quote", {"code": "unpriced"}, status=422)
    answer = await client.post("/v1/jobs/estimate", headers=session_headers, json=BRIEF)
    assert (answer.status_code, answer.json()) == (422, {"code": "unpriced"})
    priced["workflow"].on("POST", "/v1/jobs/estimate", {"code": "unknown_field"}, status=422)
    answer = await client.post("/v1/jobs/estimate", headers=session_headers, json=BRIEF)
    assert (answer.status_code, answer.json()) == (422, {"code": "unknown_field"})


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/video/generate"])
async def test_an_affordable_job_goes_to_the_workflow(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers, path: str
) -> None:
    made = await make_pat(client, session_headers, "jobs:write")
    answer = await client.post(path, headers=bearer(made["token"]), json=BRIEF)
    assert answer.status_code == 200
    dry, real = priced["workflow"].asked
    assert (dry.query, real.query) == ("dry_run=true", "")
    assert dry.body == real.body == json.dumps(BRIEF, separators=(",", ":")).encode()
    # Pricing is our own question; the job itself is asked for with no more rights than the caller's.
    assert dry.identity["scopes"] == ["*"]
    assert real.identity["scopes"] == ["jobs:write"]


@pytest.mark.parametrize("code", ["insufficient_credits", "max_cost_too_low", "budget_exceeded", "something_new"])
async def test_a_hopeless_job_is_refused_before_anything_is_made(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers, code: str
) -> None:
    on_quote(priced, ok=False, code=code, missing={"kai_credits": 12}, message="12 credits are missing.")
    answer = await client.post("/v1/jobs", headers=session_headers, json=BRIEF)
    expected = "insufficient_credits" if code == "something_new" else code
    assert (answer.status_code, answer.json()["code"]) == (402, expected)
    assert answer.json()["missing"] == {"kai_credits": 12}
    assert answer.json()["detail"] == "12 credits are missing."
    assert [asked.query for asked in priced["workflow"].asked] == ["dry_run=true"]


async def test_with_billing_away_the_hold_decides(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers
) -> None:
    await priced["billing"].stop()
    answer = await client.post("/v1/jobs", headers=session_headers, json=BRIEF)
    assert answer.status_code == 200
    assert len(priced["workflow"].asked) == 2


async def test_what_is_not_valid_is_refused_by_its_owner(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers
) -> None:
    priced["workflow"].on("POST", "/v1/jobs", {"code": "unknown_field"}, status=422)
    answer = await client.post("/v1/jobs", headers=session_headers, json={"colour": "red"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_field")
    assert not priced["billing"].asked


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"max_cost": 3}', b"\xff"])
async def test_a_body_that_is_no_job_breaks_nothing(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers, body: bytes
) -> None:
    for path in ("/v1/jobs", "/v1/jobs/estimate"):
        answer = await client.post(path, headers=session_headers, content=body)
        assert answer.status_code in (200, 400)


async def test_a_retry_of_a_job_that_may_have_been_made_is_not_priced_again(
    client: httpx.AsyncClient, priced: Owners, session_headers: Headers
) -> None:
    """The first try may hold the very credits that this one would miss."""
    headers = session_headers | {"idempotency-key": "k"}
    status = 500

    async def jobs(request: web.Request) -> web.Response:
        dry = request.query.get("dry_run") == "true"
        return web.json_response(UNITS if dry else {"id": "job_1"}, status=200 if dry else status)

    priced["workflow"].on("POST", "/v1/jobs", jobs)
    assert (await client.post("/v1/jobs", headers=headers, json=BRIEF)).status_code == 500
    on_quote(priced, ok=False, code="insufficient_credits")
    status = 202
    answer = await client.post("/v1/jobs", headers=headers, json=BRIEF)
    assert (answer.status_code, answer.json()) == (202, {"id": "job_1"})
    fresh = await client.post("/v1/jobs", headers=session_headers, json=BRIEF)
    assert fresh.status_code == 402
