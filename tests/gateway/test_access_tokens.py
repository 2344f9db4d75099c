"""Personal access tokens: made once, kept as digests, limited by scope and by people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import text

from fenta.chassis.identity import Signer, new_signing_keys
from fenta.gateway.access.secrets import digest, is_access_secret, new_access_secret
from tests.gateway.conftest import KEYS, World, bearer, make_pat, register


async def test_a_token_is_shown_once_and_works(
    world: World, client: httpx.AsyncClient, session_headers: dict[str, str]
) -> None:
    made = await make_pat(client, session_headers, "read", "jobs:write")
    assert made["token"].startswith("fenta_pat_")
    assert is_access_secret(made["token"])
    assert made["scopes"] == ["jobs:write", "read"]
    listed = (await client.get("/v1/access-tokens", headers=session_headers)).json()["data"]
    assert [token["id"] for token in listed] == [made["id"]]
    assert "token" not in listed[0]
    assert listed[0]["last_used_at"] is None
    me = await client.get("/v1/me", headers=bearer(made["token"]))
    assert me.status_code == 200
    used = (await client.get("/v1/access-tokens", headers=session_headers)).json()["data"][0]["last_used_at"]
    assert used is not None
    async with world.database.transaction() as session:
        kept = (await session.execute(text("SELECT hash, to_jsonb(t)::text AS row FROM access_token t"))).one()
    assert kept.hash == digest(made["token"])
    assert made["token"] not in kept.row


async def test_a_revoked_token_is_refused_and_revoking_twice_is_the_same(
    client: httpx.AsyncClient, session_headers: dict[str, str]
) -> None:
    made = await make_pat(client, session_headers, "read")
    for _ in range(2):
        answer = await client.delete(f"/v1/access-tokens/{made['id']}", headers=session_headers)
        assert answer.status_code == 204
    refused = await client.get("/v1/me", headers=bearer(made["token"]))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_revoked")


async def test_nobody_revokes_anothers_token(client: httpx.AsyncClient, session_headers: dict[str, str]) -> None:
    made = await make_pat(client, session_headers, "read")
    stranger = bearer((await register(client))["access_token"])
    assert (await client.delete(f"/v1/access-tokens/{made['id']}", headers=stranger)).status_code == 204
    assert (await client.get("/v1/me", headers=bearer(made["token"]))).status_code == 200
    assert (await client.get("/v1/access-tokens", headers=stranger)).json()["data"] == []


async def test_a_token_makes_and_revokes_no_tokens(client: httpx.AsyncClient, session_headers: dict[str, str]) -> None:
    made = await make_pat(client, session_headers, "read", "org:write")
    headers = bearer(made["token"])
    answers = [
        await client.get("/v1/access-tokens", headers=headers),
        await client.post("/v1/access-tokens", headers=headers, json={"name": "x", "scopes": ["read"]}),
        await client.delete(f"/v1/access-tokens/{made['id']}", headers=headers),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "session_required")}


async def test_an_expired_token_is_refused(
    world: World, client: httpx.AsyncClient, session_headers: dict[str, str]
) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "ci", "scopes": ["read"], "expires_at": soon}
    made = (await client.post("/v1/access-tokens", headers=session_headers, json=body)).json()
    async with world.database.transaction() as session:
        await session.execute(text("UPDATE access_token SET expires_at = now()"))
    refused = await client.get("/v1/me", headers=bearer(made["token"]))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []}, {"scopes": ["everything"]}, {"scopes": "read"}, {"name": ""}, {"expires_at": "tomorrow"},
        {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2099-01-01T00:00:00Z"},
        {"expires_at": "2027-01-01T00:00:00"}, {"role": "owner"},
    ],
)  # fmt: skip
async def test_a_bad_token_request_names_the_field(
    client: httpx.AsyncClient, session_headers: dict[str, str], change: dict[str, object]
) -> None:
    body = {"name": "ci", "scopes": ["read"]} | change
    answer = await client.post("/v1/access-tokens", headers=session_headers, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(f"#/{next(iter(change))}")


async def test_a_plan_allows_so_many_tokens(world: World) -> None:
    async with world.client(default_plan="free") as client:
        headers = bearer((await register(client))["access_token"])
        for _ in range(2):
            await make_pat(client, headers, "read")
        answer = await client.post("/v1/access-tokens", headers=headers, json={"name": "x", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (402, "limit_reached")


def test_a_checksum_tells_a_mistyped_token() -> None:
    secret = new_access_secret()
    assert is_access_secret(secret)
    changed = secret[:20] + ("0" if secret[20] != "0" else "1") + secret[21:]
    assert not any(map(is_access_secret, (changed, secret[:-1], secret + "0", secret.upper(), "fenta_pat_")))


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "authentication_required"),
        ("Basic YTpi", "authentication_required"),
        ("Bearer ", "authentication_required"),
        ("Bearer nonsense", "authentication_required"),
        ("Bearer fenta_pat_0123", "authentication_required"),
        pytest.param(f"Bearer {new_access_secret()}", "token_revoked", id="unknown"),
    ],
)
async def test_without_a_good_credential_nobody_comes_in(
    client: httpx.AsyncClient, authorization: str | None, code: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    for path in ("/v1/me", "/v1/jobs", "/v1/assets", "/v1/webhooks/x"):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_only_a_living_token_of_ours_for_this_door_opens_it(
    client: httpx.AsyncClient, signed_in: dict[str, Any]
) -> None:
    """A signed identity on its way to a service, an expired session, and one of another issuer are none."""
    good = jwt.decode(signed_in["access_token"], options={"verify_signature": False})
    signer = Signer(KEYS)
    for change, lifetime, code in (
        ({}, 60, None),
        ({}, -60, "token_expired"),
        ({"aud": "workflow"}, 60, "authentication_required"),
        ({"iss": "https://elsewhere.example/v1"}, 60, "authentication_required"),
        ({"sid": "sess_none"}, 60, "token_revoked"),
        ({"sub": "user_none"}, 60, "token_revoked"),
    ):
        token = signer.sign(good | change, lifetime_seconds=lifetime)
        answer = await client.get("/v1/me", headers=bearer(token))
        assert answer.json().get("code") == code
    stranger = Signer(new_signing_keys()).sign(good, lifetime_seconds=60)
    assert (await client.get("/v1/me", headers=bearer(stranger))).status_code == 401
