"""Registering, signing in, refreshing, signing out."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from sqlalchemy import text

from fenta.chassis.errors import Problem
from fenta.chassis.testing import told
from fenta.gateway.accounts.passwords import require_good
from fenta.gateway.models import Refresh, RefreshToken
from tests.gateway.conftest import PASSWORD, World, bearer, register


async def test_a_person_registers_and_gets_their_own_organisation(world: World, client: httpx.AsyncClient) -> None:
    tokens = await register(client, email="Ada@Example.com", org_name="Night Sky")
    assert tokens["expires_in"] == 900
    user = tokens["user"]
    assert user["email"] == "ada@example.com"
    (org,) = user["organisations"]
    assert (org["name"], org["role"], org["plan"], org["member_count"]) == ("Night Sky", "owner", "pro", 1)
    me = await client.get("/v1/me", headers=bearer(tokens["access_token"]))
    assert me.json() == user
    assert (await client.get("/v1/auth/me", headers=bearer(tokens["access_token"]))).json() == user
    orgs = await client.get("/v1/orgs", headers=bearer(tokens["access_token"]))
    assert orgs.json() == {"data": [org], "next_cursor": None}
    (event,) = await told(world.database, "org.created")
    assert (event.org_id, event.slug, event.owner_user_id) == (org["id"], org["slug"], user["id"])


async def test_an_address_is_taken_once_however_it_is_spelled_and_however_many_come_at_once(
    world: World, client: httpx.AsyncClient
) -> None:
    bodies = [{"email": email, "password": PASSWORD, "name": "A"} for email in ("a@b.co", "A@B.CO", " a@b.co ")]
    answers = await asyncio.gather(*(client.post("/v1/auth/register", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "email_taken"}
    assert len(await told(world.database)) == 1


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "length"),
        ("x" * 129, "length"),
        ("Password123", "format"),
        ("1212121212", "format"),
        ("ada@example.com", "format"),
    ],
)
def test_a_weak_password_is_refused(password: str, code: str) -> None:
    with pytest.raises(Problem) as refusal:
        require_good(password, email="ada@example.com")
    assert refusal.value.code == "validation_failed"
    assert refusal.value.errors[0].code == code


async def test_a_weak_password_is_refused_at_the_door(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/auth/register", json={"email": "a@b.co", "password": "short", "name": "A"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/password"


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nobody"}, {"email": "a@b"}, {"email": "a b@c.de"}, {"name": ""}, {"name": "a\nb"}, {"name": 7},
        {"colour": "red"}, {"password": None}, {"delivery": "cookie"},
    ],
)  # fmt: skip
async def test_a_bad_registration_names_the_field(client: httpx.AsyncClient, change: dict[str, object]) -> None:
    body = {"email": "a@b.co", "password": PASSWORD, "name": "A"} | change
    answer = await client.post("/v1/auth/register", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == f"#/{next(iter(change))}"


async def test_sign_in_answers_the_same_whether_or_not_there_is_an_account(client: httpx.AsyncClient) -> None:
    await register(client, email="a@b.co")
    known = await client.post("/v1/auth/login", json={"email": "a@b.co", "password": "not this one"})
    unknown = await client.post("/v1/auth/login", json={"email": "c@d.co", "password": "not this one"})
    assert known.status_code == unknown.status_code == 401
    same = [{**answer.json(), "request_id": None} for answer in (known, unknown)]
    assert same[0] == same[1]
    good = await client.post("/v1/auth/login", json={"email": "A@b.co", "password": PASSWORD})
    assert good.status_code == 200


@pytest.mark.parametrize("email", ["a@b.co", "nobody@b.co"])
async def test_ten_failures_pause_an_account_whether_or_not_it_exists(
    world: World, client: httpx.AsyncClient, email: str
) -> None:
    await register(client, email="a@b.co")
    for _ in range(10):
        answer = await client.post("/v1/auth/login", json={"email": email, "password": "not this one"})
        assert answer.json()["code"] == "invalid_credentials"
    paused = await client.post("/v1/auth/login", json={"email": email, "password": PASSWORD})
    assert (paused.status_code, paused.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(paused.headers["retry-after"]) <= 900
    async with world.database.transaction() as session:
        await session.execute(text("UPDATE sign_in_failure SET first_at = first_at - interval '15 minutes'"))
    later = await client.post("/v1/auth/login", json={"email": email, "password": PASSWORD})
    assert later.status_code == (200 if email == "a@b.co" else 401)


async def test_a_good_sign_in_forgets_the_failures(client: httpx.AsyncClient) -> None:
    await register(client, email="a@b.co")
    for password in ["wrong one here"] * 9 + [PASSWORD] + ["wrong one here"] * 9 + [PASSWORD]:
        answer = await client.post("/v1/auth/login", json={"email": "a@b.co", "password": password})
    assert answer.status_code == 200


async def test_tries_to_sign_in_are_counted_by_address(world: World) -> None:
    async with world.client(sign_ins_per_minute=3) as client:
        body = {"email": "a@b.co", "password": "not this one"}
        answers = [await client.post("/v1/auth/login", json=body) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


async def test_a_refresh_token_rotates_and_both_access_tokens_work(client: httpx.AsyncClient) -> None:
    first = await register(client)
    second = (await client.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    for tokens in (first, second):
        assert (await client.get("/v1/me", headers=bearer(tokens["access_token"]))).status_code == 200


async def test_the_same_refresh_token_again_at_once_gives_a_sibling(client: httpx.AsyncClient) -> None:
    first = await register(client)
    body = {"refresh_token": first["refresh_token"]}
    answers = await asyncio.gather(*(client.post("/v1/auth/refresh", json=body) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 3


async def test_a_refresh_token_used_again_later_ends_the_whole_family(world: World, client: httpx.AsyncClient) -> None:
    first = await register(client)
    second = (await client.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    async with world.database.transaction() as session:
        await session.execute(text("UPDATE refresh_token SET used_at = used_at - interval '11 seconds'"))
    reused = await client.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (reused.status_code, reused.json()["code"]) == (401, "refresh_token_reused")
    follower = await client.post("/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert (follower.status_code, follower.json()["code"]) == (401, "token_revoked")
    ended = await client.get("/v1/me", headers=bearer(second["access_token"]))
    assert (ended.status_code, ended.json()["code"]) == (401, "token_revoked")


NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used_ago", "expires_in", "ended", "outcome"),
    [
        (None, 60, False, Refresh.ROTATE),
        (10, 60, False, Refresh.SIBLING),
        (11, 60, False, Refresh.REUSED),
        (None, 0, False, Refresh.DEAD),
        (None, 60, True, Refresh.DEAD),
        (11, 60, True, Refresh.DEAD),
    ],
)
def test_what_a_refresh_token_is_worth(used_ago: int | None, expires_in: int, ended: bool, outcome: Refresh) -> None:
    token = RefreshToken(
        sign_in_id="sess_1",
        person_id="user_1",
        expires_at=NOW + timedelta(seconds=expires_in),
        used_at=None if used_ago is None else NOW - timedelta(seconds=used_ago),
        family_expires_at=NOW + timedelta(days=1),
        family_ended_at=NOW if ended else None,
    )
    assert token.shown(NOW) is outcome


async def test_signing_out_ends_this_sign_in_and_no_other(client: httpx.AsyncClient) -> None:
    first = await register(client, email="a@b.co")
    second = (await client.post("/v1/auth/login", json={"email": "a@b.co", "password": PASSWORD})).json()
    for _ in range(2):
        answer = await client.post("/v1/auth/logout", headers=bearer(first["access_token"]))
        assert answer.status_code == 204
    assert (await client.get("/v1/me", headers=bearer(first["access_token"]))).status_code == 401
    assert (await client.get("/v1/me", headers=bearer(second["access_token"]))).status_code == 200


async def test_signing_out_everywhere_ends_all_sign_ins(client: httpx.AsyncClient) -> None:
    first = await register(client, email="a@b.co")
    second = (await client.post("/v1/auth/login", json={"email": "a@b.co", "password": PASSWORD})).json()
    answer = await client.post("/v1/auth/logout?all=true", json={"refresh_token": first["refresh_token"]})
    assert answer.status_code == 204
    assert (await client.get("/v1/me", headers=bearer(second["access_token"]))).status_code == 401


async def test_access_tokens_can_be_checked_with_the_published_keys(client: httpx.AsyncClient) -> None:
    tokens = await register(client)
    keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(tokens["access_token"], keys.keys[0].key, algorithms=["EdDSA"], audience="gateway")
    assert claims["sub"] == tokens["user"]["id"]
    assert claims["exp"] - claims["iat"] == 900


async def test_secrets_are_kept_as_digests_only(world: World, client: httpx.AsyncClient) -> None:
    tokens = await register(client)
    async with world.database.transaction() as session:
        rows = (await session.execute(text("SELECT p.password_hash, t.hash FROM person p, refresh_token t"))).all()
    assert rows[0].password_hash.startswith("$argon2id$")
    assert tokens["refresh_token"].encode() not in rows[0].hash
    assert len(rows[0].hash) == 32
