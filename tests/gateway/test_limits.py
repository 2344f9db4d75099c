"""Requests are counted per person, over all their credentials."""

import httpx
import pytest
from sqlalchemy import text

from fenta.chassis.errors import Problem
from fenta.gateway import limits
from fenta.gateway.access.addresses import client_address, networks
from fenta.gateway.models import Window
from tests.gateway.conftest import World, bearer, make_pat, register


async def test_every_answer_tells_what_is_left(client: httpx.AsyncClient, session_headers: dict[str, str]) -> None:
    first = await client.get("/v1/me", headers=session_headers)
    assert first.headers["ratelimit-policy"] == '"minute";q=600;w=60, "hour";q=12000;w=3600'
    assert first.headers["ratelimit"].startswith('"minute";r=599;t=')
    refused = await client.get("/v1/assets/none", headers=session_headers)
    assert refused.status_code == 404
    assert refused.headers["ratelimit"].startswith('"minute";r=598;t=')


@pytest.mark.parametrize(("seconds", "most"), [(60, 100), (3600, 1000)])
async def test_one_too_many_is_refused_over_all_credentials_together(world: World, seconds: int, most: int) -> None:
    async with world.client(default_plan="free") as client:
        headers = bearer((await register(client))["access_token"])
        made = await make_pat(client, headers, "read")
        async with world.database.transaction() as session:
            used = text("UPDATE rate_window SET requests = :used WHERE window_seconds = :seconds")
            await session.execute(used, {"used": most - 2, "seconds": seconds})
        answers = [await client.get("/v1/me", headers=which) for which in (headers, bearer(made["token"]), headers)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        last = answers[2]
        assert last.json()["code"] == "rate_limited"
        assert 1 <= int(last.headers["retry-after"]) <= seconds
        assert "r=0" in last.headers["ratelimit"]
        async with world.database.transaction() as session:
            past = text("UPDATE rate_window SET started_at = now() - make_interval(secs => window_seconds)")
            await session.execute(past)
        assert (await client.get("/v1/me", headers=headers)).status_code == 200


async def test_people_do_not_count_for_each_other(client: httpx.AsyncClient) -> None:
    ada, bob = await register(client), await register(client)
    for tokens in (ada, bob):
        answer = await client.get("/v1/me", headers=bearer(tokens["access_token"]))
        assert answer.headers["ratelimit"].startswith('"minute";r=599;')


async def test_health_and_descriptions_are_free(world: World, client: httpx.AsyncClient) -> None:
    for path in ("/v1/version", "/v1/docs", "/.well-known/jwks.json"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers
    async with world.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM rate_window")) == 0


def test_an_unknown_plan_is_the_floor() -> None:
    assert limits.plan_named("platinum") == limits.PLANS["free"]
    limits.require_room(limits.PLANS["free"], [Window(60, 100, 1.0)])
    with pytest.raises(Problem) as refusal:
        limits.require_room(limits.PLANS["free"], [Window(60, 101, 12.2), Window(3600, 101, 3000.0)])
    assert refusal.value.headers["Retry-After"] == "13"


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1", "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", "", "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.0/8", "nonsense"),
    ],
)
def test_an_address_is_believed_from_our_proxies_only(peer: str, forwarded: str, proxies: str, address: str) -> None:
    assert client_address(peer, forwarded, networks(proxies)) == address
