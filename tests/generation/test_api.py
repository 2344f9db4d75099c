"""The catalogues over HTTP, and the tables behind row-level security."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from fenta.chassis import tasks
from fenta.chassis.database import Database
from fenta.chassis.http import create_app
from fenta.chassis.identity import HEADER, Identity, Signer, Verifier, new_signing_keys, public_half
from fenta.chassis.testing import deliver
from fenta.contracts.models import MODELS
from fenta.contracts.voices import VOICES
from fenta.generation import api, handlers
from fenta.generation.service import GenerationService
from tests.generation import steps


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    keys = new_signing_keys()
    identity = Identity(org_id=steps.ORG, user_id="user_1", role="viewer", scopes=("webhooks:read",))
    token = Signer(keys).sign_identity(identity, audience="generation")
    app = create_app("generation", verifier=Verifier(public_half(keys)))
    app.include_router(api.router())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={HEADER: token}) as client:
        yield client


async def test_models_are_listed_with_limits_and_prices(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()["data"]
    assert {model["id"] for model in listed} == set(MODELS)
    (painter,) = (await client.get("/v1/models", params={"capability": "image"})).json()["data"]
    assert painter["price"] == {"unit": "kai_credits", "each": MODELS["local-pictures"].credits}
    assert painter["available"] is True
    (writer,) = (await client.get("/v1/models", params={"capability": "text"})).json()["data"]
    assert writer["limits"]["knows_facts"] is False
    assert "ary" in writer["languages"]


async def test_voices_are_listed_by_language(client: httpx.AsyncClient) -> None:
    assert len((await client.get("/v1/voices")).json()["data"]) == len(VOICES)
    french = (await client.get("/v1/voices", params={"language": "fr-CA"})).json()["data"]
    assert {voice["id"] for voice in french} == {"fr_female", "fr_male"}
    moroccan = (await client.get("/v1/voices", params={"language": "ar-MA"})).json()["data"]
    assert ["darija"] in [voice["aliases"] for voice in moroccan]
    assert (await client.get("/v1/voices", params={"language": "tlh"})).json()["data"] == []
    assert (await client.get("/v1/voices", params={"kind": "clone"})).json()["data"] == []


async def test_an_unknown_capability_is_a_problem_and_nobody_is_401(client: httpx.AsyncClient) -> None:
    wrong = await client.get("/v1/models", params={"capability": "smell"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")
    assert (await client.get("/v1/voices", headers={HEADER: ""})).status_code == 401


async def test_another_organisation_sees_no_row(database: Database) -> None:
    routes = handlers.routes(GenerationService(tasks))
    await deliver(database, routes, steps.cancellation(), steps.picture_request())
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO made_document VALUES ('asset_1', :org, '0')"), {"org": steps.ORG})
    for org_id, rows in ((steps.ORG, 1), (steps.OTHER_ORG, 0)):
        async with database.api_transaction(org_id) as session:
            for table in ("provider_task", "cancellation", "made_document"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == rows  # noqa: S608
