"""Render's routes, as the gateway asks them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fenta.chassis.http import create_app
from fenta.chassis.identity import HEADER, Identity, Signer, Verifier, new_signing_keys, public_half
from fenta.contracts.ids import new_id
from fenta.render import api
from fenta.render.templates.library import TemplateLibrary
from fenta.render.templates.preview import Previews
from tests.render.service_parts import Parts

KEYS = new_signing_keys()


class Caller:
    """Asks as somebody the gateway vouches for."""

    def __init__(self, client: httpx.AsyncClient, parts: Parts) -> None:
        self.client, self.parts = client, parts
        self.org_id, self.scopes = parts.org_id, ("jobs:read",)

    async def ask(self, path: str, **params: Any) -> httpx.Response:
        identity = Identity(org_id=self.org_id, user_id="user_x", role="viewer", scopes=self.scopes)
        token = Signer(KEYS).sign_identity(identity, audience="render")
        return await self.client.get(path, headers={HEADER: token}, params=params)


@pytest.fixture
async def caller(parts: Parts) -> AsyncIterator[Caller]:
    app = create_app("render", verifier=Verifier(public_half(KEYS)))
    app.include_router(api.router(parts.renders, TemplateLibrary(parts.database), Previews()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://render") as client:
        yield Caller(client, parts)


async def request_some(parts: Parts, count: int) -> None:
    for number in range(count):
        await parts.deliver(parts.request("Output.Render", {}, key=f"render{number}"))


async def test_a_list_goes_on_page_by_page(caller: Caller) -> None:
    await request_some(caller.parts, 5)
    seen, cursor = [], None
    while True:
        page = (await caller.ask("/v1/renders", limit=2, **({"cursor": cursor} if cursor else {}))).json()
        seen += [render["id"] for render in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5


async def test_a_list_can_be_narrowed(caller: Caller) -> None:
    await request_some(caller.parts, 2)
    assert len((await caller.ask("/v1/renders", job_id=caller.parts.job_id)).json()["data"]) == 2
    assert (await caller.ask("/v1/renders", job_id=new_id("job"))).json()["data"] == []
    assert (await caller.ask("/v1/renders", status="completed")).json()["data"] == []
    assert (await caller.ask("/v1/renders", colour="red")).status_code == 400


async def test_one_render_tells_its_state(caller: Caller) -> None:
    await request_some(caller.parts, 1)
    (listed,) = (await caller.ask("/v1/renders")).json()["data"]
    found = (await caller.ask(f"/v1/renders/{listed['id']}")).json()
    assert (found["status"], found["node_type"], found["error"]) == ("queued", "Output.Render", None)


async def test_another_organisation_gets_not_found(caller: Caller) -> None:
    await request_some(caller.parts, 1)
    (listed,) = (await caller.ask("/v1/renders")).json()["data"]
    caller.org_id = new_id("org")
    answer = await caller.ask(f"/v1/renders/{listed['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await caller.ask("/v1/renders")).json()["data"] == []


async def test_the_scope_is_asked_for(caller: Caller) -> None:
    caller.scopes = ()
    assert (await caller.ask("/v1/renders")).json()["code"] == "scope_required"
