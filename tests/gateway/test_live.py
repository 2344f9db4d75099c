"""A job's events as a stream: whole, in order, resumable, the same in every gateway process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web
from sqlalchemy import text

from fenta.chassis.testing import deliver
from fenta.contracts.events import Event
from fenta.gateway import handlers
from fenta.gateway.app import Gateway
from tests.gateway.conftest import World, bearer, make_pat, register, serving
from tests.gateway.events import SHA, Story

Message = dict[str, Any]


async def tell(world: World, gateway: Gateway, *events: Event) -> None:
    """As the two consumers would."""
    routes = [*handlers.routes(gateway.channels, gateway.assets), *handlers.live_routes(gateway.channels)]
    for event in events:
        await deliver(world.database, routes, event)


def whole(story: Story) -> list[Event]:
    return [
        story.requested(), story.started(), story.progressed(10), story.step_progressed("image[s1]", 0),
        story.generated("image[s1]"), story.step_completed("image[s1]"), story.rendered(), story.completed(),
    ]  # fmt: skip


@asynccontextmanager
async def live(world: World, **settings: Any) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    """A gateway on a port of its own, and a client of it."""
    async with (
        world.gateway(**settings) as gateway,
        serving(gateway) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield gateway, client


@asynccontextmanager
async def two_gateways(world: World) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient, httpx.AsyncClient]]:
    """The one that consumes, and a client of each. NOTIFY alone has to do: nobody looks by himself."""
    quiet = {"stream_poll_seconds": 600}
    async with live(world, **quiet) as (gateway, near), live(world, **quiet) as (_, far):
        yield gateway, near, far


async def read(answer: httpx.Response, most: int = 1000) -> list[Message]:
    """The messages of a stream until it ends, or so many."""
    messages: list[Message] = []
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        if not line and "data" in fields:
            message = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (str(message["seq"]), message["type"])
            messages.append(message)
            fields = {}
            if len(messages) == most:
                break
    return messages


def shown(messages: list[Message]) -> list[tuple[int, str]]:
    return [(message["seq"], message["type"]) for message in messages]


async def person(client: httpx.AsyncClient) -> tuple[dict[str, str], Story]:
    tokens = await register(client)
    headers = bearer(tokens["access_token"]) | {"accept": "text/event-stream"}
    return headers, Story(tokens["user"]["organisations"][0]["id"])


async def test_a_stream_is_told_as_it_happens_and_ends_by_itself(world: World) -> None:
    async with two_gateways(world) as (gateway, client, other_client):
        headers, story = await person(client)
        await tell(world, gateway, story.requested())
        path = f"/v1/jobs/{story.job_id}/events"
        async with (
            client.stream("GET", path, headers=headers) as near,
            other_client.stream("GET", path, headers=headers) as far,
        ):
            assert near.headers["content-type"].startswith("text/event-stream")
            readers = [asyncio.create_task(read(near)), asyncio.create_task(read(far))]
            await tell(world, gateway, *whole(story)[1:])
            told = await asyncio.gather(*readers)
        assert shown(told[0]) == shown(told[1])
        assert [message["type"] for message in told[0]] == [
            "job.queued", "job.started", "job.progress", "step.started", "asset.created", "step.completed",
            "asset.created", "asset.created", "job.completed",
        ]  # fmt: skip
        for name in ("video_url", "thumbnail_url"):
            assert f"/{story.org_id}/ab/{SHA}?" in told[0][-1][name]
            assert "X-Amz-Signature" in told[0][-1][name]


async def test_a_stream_cut_after_each_number_and_resumed_elsewhere_is_the_uninterrupted_one(world: World) -> None:
    async with two_gateways(world) as (gateway, client, other_client):
        headers, story = await person(client)
        await tell(world, gateway, *whole(story))
        path = f"/v1/jobs/{story.job_id}/events"
        async with client.stream("GET", path, headers=headers) as answer:
            uninterrupted = shown(await read(answer))
        for cut in range(1, len(uninterrupted)):
            async with client.stream("GET", path, headers=headers) as answer:
                before = shown(await read(answer, cut))
            resumed = headers | {"last-event-id": str(cut)}
            async with other_client.stream("GET", path, headers=resumed) as answer:
                assert before + shown(await read(answer)) == uninterrupted
            async with other_client.stream("GET", f"{path}?after={cut}", headers=headers) as answer:
                assert shown(await read(answer)) == uninterrupted[cut:]
        over = await client.get(path, headers=headers | {"last-event-id": str(len(uninterrupted))})
        assert (over.status_code, over.content) == (204, b"")


async def test_without_a_notification_the_stream_looks_by_itself(world: World) -> None:
    async with live(world, stream_poll_seconds=0.02) as (gateway, client):
        headers, story = await person(client)
        await tell(world, gateway, story.requested())
        async with client.stream("GET", f"/v1/jobs/{story.job_id}/events", headers=headers) as answer:
            reader = asyncio.create_task(read(answer))
            deaf = handlers.routes(type(gateway.channels)(tell=lambda _names: None), gateway.assets)
            await deliver(world.database, deaf, story.failed())
            assert [message["type"] for message in await reader] == ["job.queued", "job.failed"]


async def test_a_silent_stream_says_that_it_lives(world: World) -> None:
    async with live(world, stream_comment_seconds=0.02) as (gateway, client):
        headers, story = await person(client)
        await tell(world, gateway, story.requested())
        path = f"/v1/jobs/{story.job_id}/events?after=1"
        async with client.stream("GET", path, headers=headers) as answer:
            lines = answer.aiter_lines()
            comments = [line async for line in _first(lines, 6) if line]
            await tell(world, gateway, story.cancelled())
            rest = [line async for line in lines]
        assert comments == [": still here"] * 3
        assert "event: job.cancelled" in rest


async def _first(lines: AsyncIterator[str], count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield await anext(lines)


async def test_the_same_path_as_json_is_a_list(world: World) -> None:
    async with live(world) as (gateway, client):
        headers, story = await person(client)
        await tell(world, gateway, *whole(story))
        path, headers = f"/v1/jobs/{story.job_id}/events", headers | {"accept": "application/json"}
        everything = (await client.get(path, headers=headers)).json()
        assert [message["seq"] for message in everything["data"]] == list(range(1, 10))
        assert everything["next_cursor"] is None
        page = (await client.get(f"{path}?after=2&limit=3", headers=headers)).json()
        assert [message["seq"] for message in page["data"]] == [3, 4, 5]
        assert page["next_cursor"] == "5"
        refused = await client.get(path, headers=headers | {"last-event-id": "nonsense"})
        assert (refused.status_code, refused.json()["code"]) == (400, "cursor_invalid")


async def test_a_job_nobody_told_of_yet_is_asked_of_the_workflow(world: World) -> None:
    async with live(world) as (gateway, client):
        headers, story = await person(client)
        workflow, path = world.owners["workflow"], f"/v1/jobs/{story.job_id}"
        workflow.on("GET", path, {"id": story.job_id, "status": "pending"})
        async with client.stream("GET", f"{path}/events", headers=headers) as answer:
            assert answer.status_code == 200
            reader = asyncio.create_task(read(answer))
            await tell(world, gateway, story.requested(), story.cancelled())
            assert shown(await reader) == [(1, "job.queued"), (2, "job.cancelled")]
        assert workflow.last().identity["org_id"] == story.org_id


async def test_a_job_of_others_or_of_nobody_is_not_found(world: World) -> None:
    async def unknown(_request: web.Request) -> web.Response:
        return web.json_response({"code": "not_found"}, status=404, content_type="application/problem+json")

    async with live(world) as (gateway, client):
        _, story = await person(client)
        stranger, _ = await person(client)
        await tell(world, gateway, *whole(story))
        world.owners["workflow"].on("GET", f"/v1/jobs/{story.job_id}", unknown)
        foreign = await client.get(f"/v1/jobs/{story.job_id}/events", headers=stranger)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
        nonsense = await client.get("/v1/jobs/nonsense/events", headers=stranger)
        assert (nonsense.status_code, nonsense.json()["code"]) == (404, "not_found")
        await world.owners["workflow"].stop()
        away = await client.get(f"/v1/jobs/{story.job_id}/events", headers=stranger)
        assert (away.status_code, away.json()["service"]) == (503, "workflow")


async def test_reading_events_needs_the_scope(world: World) -> None:
    async with world.client() as client:
        headers, story = await person(client)
        made = await make_pat(client, headers, "assets:read")
        answer = await client.get(f"/v1/jobs/{story.job_id}/events", headers=bearer(made["token"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_required")


async def test_both_consumers_at_once_number_without_gaps(world: World) -> None:
    async with world.gateway() as gateway:
        story = Story("org_1")
        steps = [f"image[s{number}]" for number in range(8)]
        await asyncio.gather(
            *(tell(world, gateway, story.step_progressed(step, 0)) for step in steps),
            *(tell(world, gateway, story.generated(step), story.step_completed(step)) for step in steps),
        )
        async with world.database.transaction() as session:
            seqs = (await session.execute(text("SELECT seq FROM channel_event ORDER BY seq"))).scalars().all()
            kept = (await session.execute(text("SELECT body::text FROM channel_event"))).scalars().all()
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= 16
        assert not any("X-Amz" in body for body in kept)
