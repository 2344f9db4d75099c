"""Notifier's routes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fenta.chassis.http import create_app
from fenta.chassis.identity import HEADER, Signer, Verifier, new_signing_keys, public_half
from fenta.contracts.ids import new_id, uuid7
from fenta.notifier import api
from tests.notifier.events import completed, org
from tests.notifier.receivers import receiving, status
from tests.notifier.stand import Stand
from tests.notifier.test_signing import verify

KEYS = new_signing_keys()
URL = "http://127.0.0.1:9/hook"


class Caller:
    """Asks notifier's routes as somebody the gateway vouches for."""

    def __init__(self, client: httpx.AsyncClient, stand: Stand) -> None:
        self.client, self.stand = client, stand

    async def ask(self, method: str, path: str, *, who: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        token = Signer(KEYS).sign_identity(self.stand.identity(**who or {}), audience="notifier")
        return await self.client.request(method, f"/v1/webhooks{path}", headers={HEADER: token}, **options)

    async def create(self, **values: Any) -> Any:
        answer = await self.ask("POST", "", json={"url": URL, "events": ["*"], **values})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def caller(stand: Stand) -> AsyncIterator[Caller]:
    app = create_app("notifier", verifier=Verifier(public_half(KEYS)))
    app.include_router(api.router(stand.notifier, stand.deliverer))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notifier") as client:
        yield Caller(client, stand)


async def test_an_endpoint_lives_from_post_to_delete(caller: Caller) -> None:
    made = await caller.create(events=["job.*"], description="mine", filters={"metadata": {"post": "42"}})
    assert made["id"].startswith("hook_")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    found = await caller.ask("GET", f"/{made['id']}")
    assert found.json() == made
    assert "secret" not in found.text
    changed = (await caller.ask("PATCH", f"/{made['id']}", json={"status": "paused", "events": ["*"]})).json()
    assert (changed["status"], changed["events"], changed["url"]) == ("paused", ["*"], URL)
    for _ in range(2):
        assert (await caller.ask("DELETE", f"/{made['id']}")).status_code == 204
    assert (await caller.ask("GET", f"/{made['id']}")).status_code == 404
    assert (await caller.ask("GET", "")).json() == {"data": [], "next_cursor": None}


async def test_the_list_pages_from_the_newest(caller: Caller) -> None:
    made = [(await caller.create())["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await caller.ask("GET", "", params=query)).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    wrong = await caller.ask("GET", "", params={"cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_same_request_again_finds_the_endpoint_without_its_secret(caller: Caller, at_once: bool) -> None:
    who, body = {"new_id": str(uuid7())}, {"url": URL, "events": ["*"]}
    requests = [caller.ask("POST", "", who=who, json=body) for _ in range(3)]
    answers = await asyncio.gather(*requests) if at_once else [await request for request in requests]
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["id"] for answer in answers} == {f"hook_{who['new_id']}"}
    assert len([answer for answer in answers if answer.json()["secret"]]) == 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://10.0.0.1/"}, "url_not_allowed"),
    ({"url": "https://169.254.169.254/"}, "url_not_allowed"),
    ({"url": "ftp://127.0.0.1/"}, "url_not_allowed"),
    ({"url": "https://no-such-host.invalid/"}, "url_not_allowed"),
    ({"url": ""}, "validation_failed"),
    ({"url": 5}, "validation_failed"),
    ({"url": None}, "validation_failed"),
    ({"events": ["job.completed", "nonsense"]}, "unknown_event_type"),
    ({"events": []}, "validation_failed"),
    ({"status": "gone"}, "validation_failed"),
    ({"filters": {"metadata": {"post": 42}}}, "validation_failed"),
    ({"colour": "red"}, "unknown_field"),
]


async def test_bad_endpoints_are_refused_and_nothing_is_made_or_changed(caller: Caller) -> None:
    made = await caller.create()
    for values, code in REFUSED:
        created = await caller.ask("POST", "", json={"url": URL, "events": ["*"], **values})
        changed = await caller.ask("PATCH", f"/{made['id']}", json=values)
        for answer in (created, changed):
            assert (answer.status_code, answer.json()["code"]) == (422, code), values
    assert len((await caller.ask("GET", "")).json()["data"]) == 1
    made.pop("secret")
    assert (await caller.ask("GET", f"/{made['id']}")).json() == made


async def test_a_plan_has_room_for_so_many(caller: Caller) -> None:
    body = {"url": URL, "events": ["*"]}
    answers = await asyncio.gather(*[caller.ask("POST", "", who={"plan": "free"}, json=body) for _ in range(4)])
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201, 201, 402, 402]


async def test_a_test_is_sent_at_once_and_answers_the_attempt(caller: Caller) -> None:
    async with receiving(status(200, body=b"got it")) as receiver:
        made = await caller.create(url=receiver.url)
        attempt = (await caller.ask("POST", f"/{made['id']}/test")).json()
        receiver.answer = status(500)
        failed = (await caller.ask("POST", f"/{made['id']}/test")).json()
    assert (attempt["status"], attempt["cause"], attempt["answer"], attempt["trigger"]) == (200, None, "got it", "test")
    assert (failed["status"], failed["cause"]) == (500, "status")
    body: Any = verify(receiver.received[0].headers, receiver.received[0].body, made["secret"])
    assert (body["type"], body["data"]) == ("webhook.test", {"endpoint_id": made["id"]})
    found = (await caller.ask("GET", f"/{made['id']}/deliveries")).json()["data"]
    assert [one["status"] for one in found] == ["failed", "delivered"]


async def test_the_same_test_again_sends_nothing(caller: Caller) -> None:
    who = {"new_id": str(uuid7())}
    async with receiving(status(200)) as receiver:
        made = await caller.create(url=receiver.url)
        answers = [(await caller.ask("POST", f"/{made['id']}/test", who=who)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(receiver.received) == 1


async def test_deliveries_are_listed_filtered_and_shown(caller: Caller) -> None:
    made = await caller.create(status="paused")
    for _ in range(3):
        await caller.stand.announce(completed(caller.stand.org_id))
    path = f"/{made['id']}/deliveries"
    first = (await caller.ask("GET", path, params={"limit": "2", "status": "held", "type": "job.completed"})).json()
    assert len(first["data"]) == 2
    query = {"limit": "2", "status": "held", "type": "job.completed", "cursor": first["next_cursor"]}
    rest = (await caller.ask("GET", path, params=query)).json()
    assert len(rest["data"]) == 1
    assert (await caller.ask("GET", path, params={"status": "failed"})).json()["data"] == []
    assert (await caller.ask("GET", path, params={"to": "2020-01-01T00:00:00Z"})).json()["data"] == []
    one = (await caller.ask("GET", f"/deliveries/{rest['data'][0]['id']}")).json()
    assert (one["status"], one["type"], one["history"]) == ("held", "job.completed", [])
    answer = await caller.ask("POST", f"/deliveries/{one['id']}/redeliver")
    assert answer.status_code == 202


async def test_event_types_are_explained(caller: Caller) -> None:
    found = {one["type"]: one for one in (await caller.ask("GET", "/event-types")).json()["data"]}
    assert len(found) == 10
    assert found["render.succeeded"]["topics"] == ["render.completed"]
    assert "job_id" in found["job.completed"]["data_schema"][0]["properties"]


async def test_rights(caller: Caller) -> None:
    made, body = await caller.create(), {"url": URL, "events": ["*"]}
    assert (await caller.client.get("/v1/webhooks")).status_code == 401
    reading = {"scopes": ("webhooks:read",), "role": "editor"}
    assert (await caller.ask("GET", "", who=reading)).status_code == 200
    assert (await caller.ask("POST", "", who=reading, json=body)).json()["code"] == "scope_required"
    assert (await caller.ask("DELETE", f"/{made['id']}", who={"role": "editor"})).json()["code"] == "role_required"
    assert (await caller.ask("GET", "", who={"role": "viewer"})).json()["code"] == "role_required"


async def test_another_organisation_finds_nothing(caller: Caller) -> None:
    made = await caller.create(status="paused")
    await caller.stand.announce(completed(caller.stand.org_id))
    path = f"/{made['id']}"
    (delivery,) = (await caller.ask("GET", f"{path}/deliveries")).json()["data"]
    stranger = {"org_id": org()}
    for method, place, options in (
        ("GET", path, {}),
        ("PATCH", path, {"json": {"status": "enabled"}}),
        ("DELETE", path, {}),
        ("POST", f"{path}/test", {}),
        ("GET", f"{path}/deliveries", {}),
        ("GET", f"/deliveries/{delivery['id']}", {}),
        ("POST", f"/deliveries/{delivery['id']}/redeliver", {}),
        ("GET", f"/{new_id('hook')}", {}),
    ):
        answer = await caller.ask(method, place, who=stranger, **options)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, place)
    assert (await caller.ask("GET", "", who=stranger)).json()["data"] == []
    assert (await caller.ask("GET", path)).json()["status"] == "paused"
