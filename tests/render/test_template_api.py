"""Templates over HTTP: kept when they compile, versioned, seen by their own organisation, used by their timelines."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import cv2
import httpx
import numpy as np
import pytest

from fenta.chassis.http import create_app
from fenta.chassis.identity import HEADER, Identity, Signer, Verifier, new_signing_keys, public_half
from fenta.contracts.documents import DOCUMENTS
from fenta.contracts.events import AssetGenerated, StepFailed
from fenta.contracts.ids import new_id
from fenta.contracts.templates import SHIPPED
from fenta.contracts.values import KeyedValue, Value
from fenta.render import api
from fenta.render.errors import TimelineRefused
from fenta.render.templates.checking import checked
from fenta.render.templates.library import TemplateLibrary
from fenta.render.templates.preview import Previews
from fenta.render.templates.shipped import FOLDER, shipped
from tests.render.media import Shelf, script
from tests.render.service_parts import Parts
from tests.render.test_service import answered

KEYS = new_signing_keys()
MINE: dict[str, Any] = {
    "schema": "fenta.template/1",
    "name": "Mine",
    "slots": [{"key": "accent", "accepts": "colour", "default": "#19E3B1"}],
    "tracks": [
        {"kind": "video", "clips": [{"during": "shot", "look": {"source": {"$ref": "shot.source"}}}]},
        {"kind": "overlay", "clips": [
            {"during": "scene", "look": {"style": "kicker", "text": "No. {{scene.number}}",
                                         "accent": {"$ref": "slots.accent"}}}]},
    ],
}  # fmt: skip


class Caller:
    """Asks as somebody the gateway vouches for."""

    def __init__(self, client: httpx.AsyncClient, org_id: str) -> None:
        self.client = client
        self.who = Identity(
            org_id=org_id, user_id="user_x", role="editor", scopes=("templates:read", "templates:write")
        )

    async def ask(self, method: str, path: str = "", body: Any = None, **headers: str) -> httpx.Response:
        fields = {HEADER: Signer(KEYS).sign_identity(self.who, audience="render"), **headers}
        given = {"json": {"document": body}} if body is not None else {}
        return await self.client.request(method, f"/v1/templates{path}", headers=fields, **given)

    async def keep(self, document: dict[str, Any] = MINE) -> dict[str, Any]:
        answer = await self.ask("POST", body=document)
        assert answer.status_code == 201, answer.text
        kept: dict[str, Any] = answer.json()
        return kept


@pytest.fixture
async def caller(parts: Parts) -> AsyncIterator[Caller]:
    app = create_app("render", verifier=Verifier(public_half(KEYS)))
    app.include_router(api.router(parts.renders, TemplateLibrary(parts.database), Previews()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://render") as client:
        yield Caller(client, parts.org_id)


# --- what compiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_would_be_accepted(name: str) -> None:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    assert checked(document) == shipped(name)


def broken(**changes: Any) -> dict[str, str]:
    with pytest.raises(TimelineRefused) as caught:
        checked(MINE | changes)
    assert all(fault.hint for fault in caught.value.faults)
    return {fault.pointer: fault.code for fault in caught.value.faults}


def test_a_slip_of_the_pen_is_told_wherever_it_is() -> None:
    (base, over) = MINE["tracks"]
    slips = {"rulez": {}, "rules": {"gap": 3}, "slots": [{"key": "accent", "accepts": "colour", "must": True}]}
    tracks = [base | {"id": "x"}, over | {"clips": [over["clips"][0] | {"until_ms": 4}]}]
    assert broken(**slips, tracks=tracks) == {
        "/rulez": "unknown_field",
        "/rules/gap": "unknown_field",
        "/slots/0/must": "unknown_field",
        "/tracks/0/id": "unknown_field",
        "/tracks/1/clips/0/until_ms": "unknown_field",
    }


def test_a_template_is_tried_with_its_slots_filled_and_empty() -> None:
    base, _ = MINE["tracks"]
    wrong_when_filled = {"look": {"source": {"kind": "colour", "colour": {"$ref": "slots.claim"}}}}
    gap_when_empty = {"look": {"source": {"kind": "logo", "asset_id": {"$ref": "slots.logo.asset_id"}, "sha256": "0"}}}
    slots = [{"key": "claim", "accepts": "text"}, {"key": "logo", "accepts": "image"}]
    assert broken(slots=slots, tracks=[base, {"kind": "video", "clips": [wrong_when_filled]}]) == {
        "/tracks/1/clips/0/look/source/colour": "input_invalid"
    }
    assert broken(slots=slots, tracks=[{"kind": "video", "clips": [gap_when_empty]}, base]) == {"/tracks": "slot_empty"}


def test_what_the_film_would_be_refused_for_is_told_with_its_place_in_the_template() -> None:
    base, over = MINE["tracks"]
    late = {
        "kind": "video",
        "clips": [{"during": "scene", "start_ms": 500, "look": {"source": {"$ref": "shot.source"}}}],
    }
    points = [{"at_ms": 9, "value": 0}, {"at_ms": 9, "value": 1}]
    still = {"look": {"text": "x", "keyframes": {"x": points}}}
    found = broken(tracks=[base, over | {"clips": [still]}])
    assert found == {"/tracks/1/clips/0/look/keyframes/x": "keyframes_unordered"}
    assert broken(tracks=[late]) != {}


def test_a_reference_that_leads_nowhere_is_told_with_the_nearest_one() -> None:
    base, _ = MINE["tracks"]
    lost = {"kind": "overlay", "clips": [{"look": {"text": "{{scene.txt}}", "accent": {"$ref": "slots.acent"}}}]}
    with pytest.raises(TimelineRefused) as caught:
        checked(MINE | {"tracks": [base, lost]})
    assert {(fault.code, fault.hint) for fault in caught.value.faults} == {
        ("reference_unknown", "Did you mean scene.text?"),
        ("reference_unknown", "Did you mean slots.accent?"),
    }


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def test_a_template_is_kept_saved_hidden_and_shown_again(caller: Caller) -> None:
    made = await caller.keep()
    assert (made["name"], made["version"], made["visibility"]) == ("Mine", 1, "private")
    path = f"/{made['id']}"
    saved = await caller.ask("PUT", path, MINE | {"name": "Better"}, **{"If-Match": '"v1"'})
    assert (saved.status_code, saved.headers["etag"], saved.json()["template_id"]) == (200, '"v2"', f"{made['id']}@2")
    got = await caller.ask("GET", path)
    assert (got.json()["name"], got.headers["etag"]) == ("Better", '"v2"')
    assert [one["name"] for one in (await caller.ask("GET", f"{path}/versions")).json()["data"]] == ["Better", "Mine"]
    assert (await caller.ask("GET", f"{path}/versions/1")).json()["document"]["name"] == "Mine"
    assert (await caller.ask("GET", f"{path}/versions/3")).status_code == 404
    assert [(await caller.ask("DELETE", path)).status_code for _ in range(2)] == [204, 204]
    assert (await caller.ask("GET", path)).status_code == 404
    assert (await caller.ask("GET")).json()["data"] == []
    assert (await caller.ask("POST", f"{path}/restore")).json()["version"] == 2


async def test_whoever_saves_says_what_was_edited(caller: Caller) -> None:
    path = f"/{(await caller.keep())['id']}"
    missing = await caller.ask("PUT", path, MINE)
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    assert (await caller.ask("PUT", path, MINE, **{"If-Match": '"v1"'})).status_code == 200
    stale = await caller.ask("PUT", path, MINE, **{"If-Match": '"v1"'})
    assert (stale.status_code, stale.json()["code"], stale.json()["current_version"]) == (412, "version_conflict", 2)
    assert (await caller.ask("PUT", path, MINE, **{"If-Match": "*"})).json()["version"] == 3
    assert (await caller.ask("PUT", path, MINE, **{"If-Match": '"x"'})).status_code == 412


async def test_what_does_not_compile_is_not_kept_and_all_mistakes_are_told(caller: Caller) -> None:
    wrong = MINE | {"slots": [], "rules": {"gap_ms": -1}}
    answer = await caller.ask("POST", body=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [mistake["pointer"] for mistake in answer.json()["errors"]] == ["#/document/rules/gap_ms"]
    answer = await caller.ask("POST", body=wrong | {"rules": {}})
    (mistake,) = answer.json()["errors"]
    assert mistake["code"] == "reference_unknown"
    assert mistake["pointer"] == "#/document/tracks/1/clips/0/look"
    assert mistake["hint"]
    assert (await caller.ask("GET")).json()["data"] == []


async def test_the_same_request_again_makes_one_template(caller: Caller) -> None:
    caller.who = replace(caller.who, new_id=str(uuid4()))
    first, second = await caller.keep(), await caller.keep()
    assert first == second
    assert len((await caller.ask("GET")).json()["data"]) == 1


async def test_a_list_goes_on_page_by_page_and_shows_what_ships_when_asked(caller: Caller) -> None:
    made = [(await caller.keep(MINE | {"name": f"No. {number}"}))["id"] for number in range(3)]
    page = (await caller.ask("GET", "?limit=2")).json()
    rest = (await caller.ask("GET", f"?limit=2&cursor={page['next_cursor']}")).json()
    assert [one["id"] for one in [*page["data"], *rest["data"]]] == made[::-1]
    assert rest["next_cursor"] is None
    public = (await caller.ask("GET", "?visibility=public")).json()["data"]
    assert [one["template_id"] for one in public] == [f"fenta/{name}@1" for name in SHIPPED]
    one = (await caller.ask("GET", "/news")).json()
    assert (one["visibility"], one["document"]["name"]) == ("public", "News")


async def test_another_organisation_sees_none_of_it(caller: Caller) -> None:
    path = f"/{(await caller.keep())['id']}"
    caller.who = replace(caller.who, org_id=new_id("org"))
    asked = [("GET", path, None), ("PUT", path, MINE), ("DELETE", path, None), ("GET", f"{path}/versions", None)]
    for method, where, body in asked:
        answer = await caller.ask(method, where, body, **{"If-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), method
    assert (await caller.ask("GET")).json()["data"] == []


async def test_a_viewer_reads_and_does_not_write(caller: Caller) -> None:
    caller.who = replace(caller.who, role="viewer")
    assert (await caller.ask("GET")).status_code == 200
    assert (await caller.ask("POST", body=MINE)).json()["code"] == "role_required"
    caller.who = replace(caller.who, role="editor", scopes=("jobs:write",))
    assert (await caller.ask("GET")).json()["code"] == "scope_required"


async def test_a_preview_is_a_picture_that_is_drawn_once(caller: Caller) -> None:
    path = f"/{(await caller.keep())['id']}/preview"
    first = await caller.ask("GET", path)
    assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg")
    picture: Any = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (480, 3 * 270 + 2 * 6, 3)
    # The field of the kicker has the slot's colour in each of the three moments.
    green = (np.abs(picture.astype(int) - [0xB1, 0xE3, 0x19]).max(axis=2) < 24).nonzero()[1]
    assert all(((green >= left) & (green < left + 270)).sum() > 100 for left in (0, 276, 552))
    same = await caller.ask("GET", path, **{"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


# --- used -------------------------------------------------------------------------------------------------------------


async def cut(parts: Parts, shelf: Shelf, **params: Any) -> Any:
    picture = shelf.picture(1)
    value = Value(type="image", asset_id=picture.asset.asset_id, sha256=picture.asset.sha256)
    inputs = {
        "script": await parts.put("script", script(("One two.", "Three four."))),
        "visuals": [KeyedValue(key="s1", value=value)],
    }
    async with parts.working():
        await parts.deliver(parts.request("Edit.Timeline", inputs, params={"captions": False, **params}))
        (answer,) = await answered(parts)
    return answer


async def test_a_timeline_is_cut_by_a_template_of_one_s_own(caller: Caller, parts: Parts, shelf: Shelf) -> None:
    made = await caller.keep()
    await caller.ask("DELETE", f"/{made['id']}")
    answer = await cut(parts, shelf, template=made["template_id"], slots={"accent": "#102030"})
    assert isinstance(answer, AssetGenerated)
    stored = await parts.storage.get(parts.org_id, answer.assets[0].sha256)
    timeline: Any = DOCUMENTS["timeline"].model_validate_json(stored)
    overlay = timeline.tracks[1].clips
    assert [(clip.text, clip.accent) for clip in overlay] == [("No. 1", "#102030"), ("No. 2", "#102030")]
    assert answer.assets[0].lineage.model == made["template_id"]


async def test_a_template_that_is_not_there_or_not_filled_right_is_told(parts: Parts, shelf: Shelf) -> None:
    answer = await cut(parts, shelf, template=f"{new_id('tmpl')}@1")
    assert isinstance(answer, StepFailed)
    assert (answer.error.class_, answer.error.code) == ("invalid", "template_not_found")


async def test_a_slot_that_is_filled_wrong_is_told(parts: Parts, shelf: Shelf) -> None:
    answer = await cut(parts, shelf, template="fenta/news@1", slots={"accent": "red"})
    assert isinstance(answer, StepFailed)
    assert [mistake.code for mistake in answer.error.errors or ()] == ["slot_invalid"]
