"""The library is filled by events and read by those whose files they are."""

import asyncio

import httpx
from sqlalchemy import text

from fenta.chassis.testing import deliver
from fenta.contracts.events import Event
from fenta.gateway import handlers
from tests.gateway.conftest import World, bearer, make_pat, register
from tests.gateway.events import SHA, Story


async def take_in(world: World, *events: Event) -> None:
    async with world.parts() as gateway:
        await deliver(world.database, handlers.routes(gateway.channels, gateway.assets), *events)


async def person(client: httpx.AsyncClient) -> tuple[dict[str, str], Story]:
    tokens = await register(client)
    return bearer(tokens["access_token"]), Story(tokens["user"]["organisations"][0]["id"])


async def test_what_was_made_stands_in_the_library(world: World, client: httpx.AsyncClient) -> None:
    headers, story = await person(client)
    await take_in(world, story.generated("image[s1]"), story.rendered())
    asset = (await client.get(f"/v1/assets/{story.asset_id('image[s1]')}", headers=headers)).json()
    assert (asset["type"], asset["kind"], asset["source"], asset["status"]) == ("image", "image", "generated", "ready")
    assert (asset["content_type"], asset["size_bytes"], asset["sha256"]) == ("image/png", 1234, SHA)
    assert (asset["duration_seconds"], asset["licence"], asset["job_id"]) == (5.5, "generated", story.job_id)
    assert asset["name"] == "image-s1-image.png"
    assert f"/{story.org_id}/ab/{SHA}?" in asset["url"]
    listed = (await client.get("/v1/assets", headers=headers)).json()["data"]
    assert {(one["type"], one["source"]) for one in listed} == {
        ("image", "generated"), ("video", "render"), ("subtitle", "render"),
    }  # fmt: skip


async def test_the_same_events_twice_and_at_once_change_nothing(world: World) -> None:
    story = Story("org_1")
    await asyncio.gather(*(take_in(world, story.generated("a"), story.rendered()) for _ in range(3)))
    await take_in(world, story.generated("a", "image/jpeg"))
    async with world.database.transaction() as session:
        rows = (await session.execute(text("SELECT id, content_type FROM asset"))).all()
    assert len(rows) == 3
    assert (story.asset_id("a"), "image/png") in [tuple(row) for row in rows]


async def test_a_list_has_filters_and_pages_newest_first(world: World, client: httpx.AsyncClient) -> None:
    headers, story = await person(client)
    other = Story(story.org_id)
    pictures = [story.generated(f"p{number}", minutes=number // 2) for number in range(7)]
    await take_in(world, *pictures, other.generated("sound", "audio/wav", minutes=9))
    seen: list[str] = []
    cursor = ""
    for size in (3, 3, 1):
        path = f"/v1/assets?type=image&job_id={story.job_id}&limit=3{cursor}"
        page = (await client.get(path, headers=headers)).json()
        assert len(page["data"]) == size
        seen += [asset["id"] for asset in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    expected = sorted(((story.asset_id(f"p{n}"), n // 2) for n in range(7)), key=lambda a: (a[1], a[0]), reverse=True)
    assert seen == [id for id, _ in expected]
    audio = (await client.get("/v1/assets?type=audio", headers=headers)).json()["data"]
    assert [asset["id"] for asset in audio] == [other.asset_id("sound")]


async def test_a_cursor_belongs_to_its_list(world: World, client: httpx.AsyncClient) -> None:
    headers, story = await person(client)
    await take_in(world, story.generated("a"), story.generated("b"))
    cursor = (await client.get("/v1/assets?type=image&limit=1", headers=headers)).json()["next_cursor"]
    for path in (f"/v1/assets?limit=1&cursor={cursor}", "/v1/assets?cursor=nonsense", "/v1/assets?cursor=bnVsbA"):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


async def test_links_to_the_bytes(world: World, client: httpx.AsyncClient) -> None:
    headers, story = await person(client)
    await take_in(world, story.rendered())
    path = f"/v1/assets/{story.asset_id('render', 'video')}"
    download = await client.get(f"{path}/download", headers=headers)
    assert download.status_code == 302
    assert "render-video.mp4" in download.headers["location"]
    link = (await client.get(f"{path}/url?expires_in=120", headers=headers)).json()
    assert "X-Amz-Expires=120" in link["url"]
    assert (await client.get("/v1/assets?job_id=%00", headers=headers)).status_code == 422
    for bad in ("expires_in=59", "expires_in=86401", "expires_in=x", "disposition=maybe"):
        assert (await client.get(f"{path}/url?{bad}", headers=headers)).status_code == 422


async def test_files_of_others_are_not_there(world: World, client: httpx.AsyncClient) -> None:
    _, story = await person(client)
    stranger, _ = await person(client)
    await take_in(world, story.generated("a"))
    for id in (story.asset_id("a"), story.asset_id("never"), "nonsense", "asset_%00", "%2e%2e"):
        for ending in ("", "/download", "/url"):
            answer = await client.get(f"/v1/assets/{id}{ending}", headers=stranger)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await client.get("/v1/assets", headers=stranger)).json()["data"] == []


async def test_reading_needs_the_scope(client: httpx.AsyncClient, session_headers: dict[str, str]) -> None:
    made = await make_pat(client, session_headers, "jobs:read")
    answer = await client.get("/v1/assets", headers=bearer(made["token"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_required")
    made = await make_pat(client, session_headers, "read")
    assert (await client.get("/v1/assets", headers=bearer(made["token"]))).status_code == 200
