"""Billing's routes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from fenta.billing import api
from fenta.billing.service import BillingService
from fenta.chassis.database import Database
from fenta.chassis.http import create_app
from fenta.chassis.identity import HEADER, Identity, Signer, Verifier, new_signing_keys, public_half
from tests.billing.events import NOW, completed, deliver, job, org, requested, used

KEYS = new_signing_keys()


class Caller:
    """Asks billing's routes as somebody the gateway vouches for."""

    def __init__(self, client: httpx.AsyncClient, database: Database, billing: BillingService) -> None:
        self.client, self.database, self.billing = client, database, billing
        self.org_id = org()
        self.scopes: tuple[str, ...] = ("usage:read",)

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        identity = Identity(org_id=self.org_id, user_id="user_x", role="viewer", scopes=self.scopes)
        token = Signer(KEYS).sign_identity(identity, audience="billing")
        return await self.client.request(method, path, headers={HEADER: token}, **options)

    async def get(self, path: str, **options: Any) -> Any:
        answer = await self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def caller(database_of: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Caller]:
    database = await database_of("billing")
    billing = BillingService(database=database, default_plan="free", clock=lambda: NOW)
    app = create_app("billing", verifier=Verifier(public_half(KEYS)))
    app.include_router(api.router(billing))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://billing") as client:
        yield Caller(client, database, billing)


async def run_a_job(caller: Caller) -> str:
    job_id = job()
    lines = [used(caller.org_id, job_id), used(caller.org_id, job_id, "llm_tokens", 300, provider="local")]
    events = [requested(caller.org_id, job_id), *lines]
    await deliver(caller.database, caller.billing, *events)
    await deliver(caller.database, caller.billing, completed(caller.org_id, job_id, [one.usage_id for one in lines]))
    return job_id


async def test_an_organisation_nobody_told_of_has_the_default_plan(caller: Caller) -> None:
    found = await caller.get("/v1/tokens/balance")
    assert found["plan"] == "free"
    assert found["balances"]["kai_credits"] == {"granted": 50, "available": 50, "held": 0, "used": 0, "over": 0}
    assert found["balances"]["tts_characters"]["available"] is None


async def test_the_balance_tells_what_is_held_and_used(caller: Caller) -> None:
    await deliver(caller.database, caller.billing, requested(caller.org_id, job()))
    await run_a_job(caller)
    credits = (await caller.get("/v1/tokens/balance"))["balances"]["kai_credits"]
    assert credits == {"granted": 50, "available": 26, "held": 20, "used": 4, "over": 0}


async def test_the_history_pages_through_every_line_of_a_job_once(caller: Caller) -> None:
    job_id = await run_a_job(caller)
    await run_a_job(caller)
    seen, cursor = [], None
    while True:
        query = {"job_id": job_id, "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = await caller.get("/v1/tokens/history", params=query)
        seen += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len({line["id"] for line in seen}) == len(seen) == 4 + 2 + 4
    assert [line["kind"] for line in seen] == ["release"] * 4 + ["capture"] * 2 + ["hold"] * 4
    costs = {line["unit"]: line["cost"]["amount_micros"] for line in seen if line["kind"] == "capture"}
    assert costs == {"kai_credits": 200_000, "llm_tokens": 0}


async def test_a_cursor_of_another_list_is_refused(caller: Caller) -> None:
    await run_a_job(caller)
    cursor = (await caller.get("/v1/tokens/history", params={"limit": "1"}))["next_cursor"]
    for wrong in ({"cursor": cursor, "job_id": job()}, {"cursor": "nonsense"}, {"cursor": "é"}):
        answer = await caller.ask("GET", "/v1/tokens/history", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(("group_by", "names"), [("day", {"2026-11-20"}), ("resource", {"Input.KAI.GenerateImage"})])
async def test_usage_is_summed_and_grouped(caller: Caller, group_by: str, names: set[str]) -> None:
    await run_a_job(caller)
    await run_a_job(caller)
    found = await caller.get("/v1/usage", params={"group_by": group_by})
    assert {total["unit"]: total["quantity"] for total in found["totals"]} == {"kai_credits": 8, "llm_tokens": 600}
    assert found["cost"] == {"amount_micros": 400_000, "currency": "USD"}
    assert {group["name"] for group in found["data"]} == names


async def test_usage_of_another_time_is_nothing(caller: Caller) -> None:
    await run_a_job(caller)
    found = await caller.get("/v1/usage", params={"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00"})
    assert found["totals"] == []


async def test_the_quota_tells_the_limit_and_what_is_left(caller: Caller) -> None:
    await run_a_job(caller)
    quotas = (await caller.get("/v1/usage/quota"))["quotas"]
    credits = quotas["kai_credits"]
    assert (credits["limit"], credits["used"], credits["held"], credits["left"]) == (50, 4, 0, 46)
    assert credits["resets_at"] == "2026-12-20T09:00:00.000Z"
    assert quotas["tts_characters"]["limit"] is None


async def test_a_quote_says_what_would_happen_and_reserves_nothing(caller: Caller) -> None:
    caller.scopes = ("jobs:write",)
    body = {"low": {"kai_credits": 4}, "high": {"kai_credits": 10}, "duration_ms": {"low": 1, "high": 2}}
    good = (await caller.ask("POST", "/internal/quote", json=body)).json()
    assert (good["ok"], good["code"], good["hold"]) == (True, None, {"kai_credits": 10})
    assert (good["cost"]["low_micros"], good["cost"]["high_micros"]) == (0, 500_000)
    assert good["units"] == [{"unit": "kai_credits", "included_left": 50, "overage": 0, "price_micros": 50_000}]
    poor = (await caller.ask("POST", "/internal/quote", json=body | {"low": {"kai_credits": 51}})).json()
    assert (poor["ok"], poor["code"], poor["missing"]) == (False, "insufficient_credits", {"kai_credits": 1})
    tight = (await caller.ask("POST", "/internal/quote", json=body | {"max_cost_micros": 1})).json()
    assert tight["code"] == "max_cost_too_low"
    caller.scopes = ("usage:read",)
    assert (await caller.get("/v1/tokens/balance"))["balances"]["kai_credits"]["held"] == 0


async def test_bad_questions_are_told_why(caller: Caller) -> None:
    assert (await caller.client.get("/v1/tokens/balance")).status_code == 401
    assert (await caller.client.post("/internal/quote", json={"low": {}, "high": {}})).status_code == 401
    negative = await caller.ask("POST", "/internal/quote", json={"low": {"kai_credits": -1}, "high": {}})
    assert negative.status_code == 422
    assert (await caller.ask("GET", "/v1/usage", params={"group_by": "mood"})).status_code == 422
    assert (await caller.ask("GET", "/v1/tokens/history", params={"limit": "0"})).status_code == 422
    caller.scopes = ("jobs:read",)
    assert (await caller.ask("GET", "/v1/usage/quota")).json()["code"] == "scope_required"


async def test_another_organisation_sees_nothing(caller: Caller) -> None:
    job_id = await run_a_job(caller)
    caller.org_id = org()
    assert (await caller.get("/v1/tokens/history", params={"job_id": job_id}))["data"] == []
    assert (await caller.get("/v1/usage"))["totals"] == []
