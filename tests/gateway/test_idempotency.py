"""What is sent twice happens once."""

import asyncio
import json

import httpx
import pytest
from aiohttp import web
from sqlalchemy import text

from fenta.gateway.idempotency import without_secrets
from tests.conftest import until
from tests.gateway.conftest import PASSWORD, World, bearer, register
from tests.gateway.owners import FakeOwner

Owners = dict[str, FakeOwner]
Headers = dict[str, str]
HOOK = {"url": "https://example.com/", "events": ["*"]}


def keyed(headers: Headers, key: str = "sky-1") -> Headers:
    return headers | {"idempotency-key": key}


async def test_the_same_request_again_gets_the_first_answer(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    owners["notifier"].on("POST", "/v1/webhooks", {"id": "hook_1", "secret": "whsec_abc"}, status=201)
    first = await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    again = await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    assert (first.status_code, first.json()) == (201, {"id": "hook_1", "secret": "whsec_abc"})
    assert (again.status_code, again.json()) == (201, {"id": "hook_1"})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"].startswith("application/json")
    assert "idempotency-replayed" not in first.headers
    assert len(owners["notifier"].asked) == 1


async def test_many_at_once_are_done_once(client: httpx.AsyncClient, owners: Owners, session_headers: Headers) -> None:
    finish = asyncio.Event()

    async def slowly(_request: web.Request) -> web.Response:
        await finish.wait()
        return web.json_response({"id": "hook_1"}, status=201)

    owners["notifier"].on("POST", "/v1/webhooks", slowly)
    posts = [
        asyncio.create_task(client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)) for _ in range(5)
    ]

    async def four_are_back() -> bool:
        return sum(post.done() for post in posts) == 4

    await until(four_are_back)
    finish.set()
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    waiting = next(answer for answer in answers if answer.status_code == 409)
    assert waiting.json()["code"] == "idempotency_in_flight"
    assert waiting.headers["retry-after"] == "1"
    assert len(owners["notifier"].asked) == 1


async def test_another_request_under_the_same_key_is_refused(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    for path, body in (("/v1/webhooks", {"url": "x"}), ("/v1/webhooks?dry_run=true", HOOK)):
        answer = await client.post(path, headers=keyed(session_headers), json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(owners["notifier"].asked) == 1


async def test_a_key_is_ones_own_and_of_one_path(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    stranger = bearer((await register(client))["access_token"])
    for path, headers in (
        ("/v1/webhooks", session_headers), ("/v1/webhooks", stranger), ("/v1/webhooks/x/test", session_headers),
    ):  # fmt: skip
        answer = await client.post(path, headers=keyed(headers), json=HOOK)
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers
    assert len({asked.identity["new_id"] for asked in owners["notifier"].asked}) == 3


async def test_a_refusal_is_decided_afresh(client: httpx.AsyncClient, owners: Owners, session_headers: Headers) -> None:
    owners["notifier"].on("POST", "/v1/webhooks", {"code": "url_not_allowed"}, status=422)
    assert (await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)).status_code == 422
    owners["notifier"].on("POST", "/v1/webhooks", {"id": "hook_1"}, status=201)
    other = {"url": "https://other.example/"}
    assert (await client.post("/v1/webhooks", headers=keyed(session_headers), json=other)).status_code == 201


async def test_after_an_unclear_end_the_next_try_brings_the_same_new_id(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    async def made_but_lost(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    owners["notifier"].on("POST", "/v1/webhooks", made_but_lost)
    lost = await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    assert lost.status_code == 503
    owners["notifier"].on("POST", "/v1/webhooks", {"id": "hook_1"}, status=201)
    found = await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    assert found.status_code == 201
    assert len({asked.identity["new_id"] for asked in owners["notifier"].asked}) == 1


async def test_a_gateway_that_comes_back_lets_go_of_what_it_held(world: World, owners: Owners) -> None:
    """As after kill -9 between the owner's answer and the stored one."""
    async with world.gateway(instance_id="7") as gateway, world.client() as client:
        headers = keyed(bearer((await register(client))["access_token"]))
        await client.post("/v1/webhooks", headers=headers, json=HOOK)
        async with world.database.transaction() as session:
            await session.execute(
                text(
                    "UPDATE idempotency_key SET status = NULL, body = NULL, headers = NULL, holder = '7:x', "
                    "locked_until = now() + interval '1 hour'"
                )
            )
        held = await client.post("/v1/webhooks", headers=headers, json=HOOK)
        assert held.json()["code"] == "idempotency_in_flight"
        await gateway.idempotency.start()
        assert (await client.post("/v1/webhooks", headers=headers, json=HOOK)).status_code == 200
    assert len({asked.identity["new_id"] for asked in owners["notifier"].asked}) == 1


async def test_a_token_made_before_a_crash_is_found_and_gets_a_secret_that_is_seen(world: World) -> None:
    async with world.client(default_plan="free") as client:
        headers = keyed(bearer((await register(client))["access_token"]))
        made = []
        for name in ("one", "two"):
            answer = await client.post("/v1/access-tokens", headers=headers, json={"name": name, "scopes": ["read"]})
            made.append(answer.json())
            headers = keyed(headers, name)
        async with world.database.transaction() as session:
            await session.execute(text("UPDATE idempotency_key SET status = NULL, body = NULL WHERE key = 'one'"))
        body = {"name": "two", "scopes": ["read"]}
        again = await client.post("/v1/access-tokens", headers=keyed(headers, "one"), json=body)
        assert again.status_code == 201
        assert again.json()["id"] == made[1]["id"]
        assert (await client.get("/v1/me", headers=bearer(again.json()["token"]))).status_code == 200
        assert (await client.get("/v1/me", headers=bearer(made[1]["token"]))).status_code == 401


async def test_a_key_lasts_a_day(
    world: World, client: httpx.AsyncClient, owners: Owners, session_headers: Headers
) -> None:
    await client.post("/v1/webhooks", headers=keyed(session_headers), json=HOOK)
    async with world.database.transaction() as session:
        await session.execute(text("UPDATE idempotency_key SET created_at = now() - interval '25 hours'"))
    other = await client.post("/v1/webhooks", headers=keyed(session_headers), json={"url": "other"})
    assert other.status_code == 200
    assert "idempotency-replayed" not in other.headers
    assert len({asked.identity["new_id"] for asked in owners["notifier"].asked}) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "naïve".encode().decode("latin-1")])
async def test_a_bad_key_is_refused(
    client: httpx.AsyncClient, owners: Owners, session_headers: Headers, key: str
) -> None:
    headers = [*session_headers.items(), ("idempotency-key", key.encode("latin-1"))]
    answer = await client.post("/v1/webhooks", headers=headers, json=HOOK)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert not owners["notifier"].asked


async def test_our_own_answers_are_kept_without_their_secrets(
    world: World, client: httpx.AsyncClient, session_headers: Headers
) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    first = await client.post("/v1/access-tokens", headers=keyed(session_headers), json=body)
    again = await client.post("/v1/access-tokens", headers=keyed(session_headers), json=body)
    assert again.json() == {name: value for name, value in first.json().items() if name != "token"}
    person = {"email": "twice@example.com", "password": PASSWORD, "name": "Ada"}
    answers = [await client.post("/v1/auth/register", headers=keyed({}), json=person) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json()["user"] == answers[0].json()["user"]
    async with world.database.transaction() as session:
        kept = (await session.execute(text("SELECT convert_from(body, 'UTF8') FROM idempotency_key"))).scalars().all()
    for secret in (first.json()["token"], answers[0].json()["access_token"], answers[0].json()["refresh_token"]):
        assert not any(secret in body for body in kept)


def test_secrets_are_left_out_at_any_depth() -> None:
    body = json.dumps({"data": [{"secret": "x", "id": 1}], "token": "y", "llm_tokens": 3}).encode()
    assert json.loads(without_secrets(body)) == {"data": [{"id": 1}], "llm_tokens": 3}
    assert without_secrets(b"") == without_secrets(b"no json") == b""
