"""The internal API: what another team orders is rendered as a job's step would be, and nobody else hears of it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from fenta.chassis.http import create_app
from fenta.contracts.timeline import Timeline
from fenta.render import internal
from fenta.render.models import INTERNAL_ORG
from fenta.render.orders import Orders
from fenta.render.settings import Settings
from tests.conftest import until
from tests.render.media import Shelf, bindings, timeline
from tests.render.service_parts import Parts, short_inputs

KEY = "a key that is long enough"
BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("render", larger={internal.FILES: 1 << 20, internal.RENDERS: 1 << 20}, body_limit=1000)
    orders = Orders(renders=parts.renders, database=parts.database, storage=parts.storage)
    app.include_router(internal.router(orders, key=SecretStr(KEY), folder=parts.folder / "passing"))
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://render", headers=headers
    ) as client:
        yield client


def as_document(film: Timeline) -> dict[str, Any]:
    return film.model_dump(mode="json", by_alias=True)


async def uploaded(client: httpx.AsyncClient, shelf: Shelf) -> None:
    for sha256, path in shelf.files.items():
        answer = await client.post("/internal/files", content=path.read_bytes(), headers=BYTES)
        assert (answer.status_code, answer.json()["sha256"]) == (201, sha256)


async def ended(client: httpx.AsyncClient, render_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(f"/internal/renders/{render_id}")).json()
        return found if found["status"] not in {"queued", "running"} else None

    found: dict[str, Any] = await until(look)
    return found


async def test_a_timeline_becomes_files_and_no_event_and_no_bill(
    client: httpx.AsyncClient, parts: Parts, shelf: Shelf
) -> None:
    document = as_document(timeline(shelf, ("One two three.",)))
    await uploaded(client, shelf)
    async with parts.working():
        placed = await client.post("/internal/renders", json={"timeline": document, "params": {"sidecars": ["srt"]}})
        assert placed.status_code == 202, placed.text
        made = await ended(client, placed.json()["id"])
    assert (made["status"], made["progress"]) == ("completed", 100)
    assert {file["kind"] for file in made["files"]} == {"video", "image", "srt"}
    for file in made["files"]:
        content = (await client.get(file["href"])).content
        assert len(content) == file["size_bytes"]
    assert await parts.events() == []
    assert [path for path in parts.folder.rglob("*") if path.is_file()] == []


async def test_a_template_is_filled_with_uploaded_parts(client: httpx.AsyncClient, parts: Parts, shelf: Shelf) -> None:
    parts.org_id = INTERNAL_ORG
    inputs = await short_inputs(parts, bindings(shelf))
    await uploaded(client, shelf)
    given = {name: [one.model_dump(mode="json") for one in value] if isinstance(value, list)
             else value.model_dump(mode="json") for name, value in inputs.items()}  # fmt: skip
    async with parts.working():
        placed = await client.post("/internal/renders", json={"template": "fenta/short@1", "inputs": given})
        assert placed.status_code == 202, placed.text
        assert (await ended(client, placed.json()["id"]))["status"] == "completed"


async def test_an_order_with_the_same_key_is_the_same_render(
    client: httpx.AsyncClient, parts: Parts, shelf: Shelf
) -> None:
    document = as_document(timeline(shelf, ("One two three.",)))
    await uploaded(client, shelf)
    headers = {"idempotency-key": "monday"}
    first, again = [
        (await client.post("/internal/renders", json={"timeline": document}, headers=headers)).json() for _ in range(2)
    ]
    assert first["id"] == again["id"]
    other = await client.post(
        "/internal/renders", json={"timeline": document, "params": {"resolution": "720p"}}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    without = (await client.post("/internal/renders", json={"timeline": document})).json()
    assert without["id"] != first["id"]


async def test_a_render_is_stopped(client: httpx.AsyncClient, parts: Parts, shelf: Shelf) -> None:
    document = as_document(timeline(shelf, ("One two three.",)))
    await uploaded(client, shelf)
    parts.engine.gate.clear()
    async with parts.working():
        render_id = (await client.post("/internal/renders", json={"timeline": document})).json()["id"]
        await parts.engine.begun.wait()
        assert (await client.delete(f"/internal/renders/{render_id}")).status_code == 202
        assert (await ended(client, render_id))["status"] == "cancelled"
    assert parts.engine.interrupted == 1
    assert (await client.delete(f"/internal/renders/{render_id}")).json()["status"] == "cancelled"


async def test_all_that_is_wrong_is_told_at_once(client: httpx.AsyncClient, shelf: Shelf) -> None:
    text = json.dumps(as_document(timeline(shelf, ("One two three.",))))
    for number, sha256 in enumerate(shelf.files):
        text = text.replace(sha256, f"{number:064x}")
    document = json.loads(text)
    document["duration_ms"] += 5000
    answer = await client.post("/internal/renders", json={"timeline": document})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert {error["code"] for error in answer.json()["errors"]} == {"gap", "source_missing"}
    assert len([error for error in answer.json()["errors"] if error["code"] == "source_missing"]) == len(shelf.files)

    misspelt = await client.post("/internal/renders", json={"timeline": {"duration_ms": -1, "tracks": 5}})
    assert len(misspelt.json()["errors"]) >= 2
    empty = await client.post("/internal/renders", json={"template": "fenta/short@1"})
    assert empty.json()["errors"][0]["code"] == "input_missing"


@pytest.mark.parametrize("body", [{}, {"timeline": {}, "template": "fenta/short@1"}])
async def test_an_order_has_one_source(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/internal/renders", json=body)).json()["code"] == "source_ambiguous"


@pytest.mark.parametrize("given", ["", "Bearer", f"Bearer {KEY}x", f"Basic {KEY}", f"bearer {KEY[:-1]}"])
async def test_without_the_key_nothing_is_answered(client: httpx.AsyncClient, given: str) -> None:
    for method, path in [("POST", "/internal/renders"), ("GET", "/internal/renders/x"),
                         ("DELETE", "/internal/renders/x"), ("POST", "/internal/files"),
                         ("GET", f"/internal/files/{'0' * 64}")]:  # fmt: skip
        answer = await client.request(method, path, headers={"authorization": given})
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required"), path


async def test_bodies_have_their_limits(client: httpx.AsyncClient) -> None:
    assert (await client.post("/internal/files", content=b"x" * 2000, headers=BYTES)).status_code == 201
    large = await client.post("/internal/files", content=b"x" * (1 << 20) + b"x", headers=BYTES)
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    order = json.dumps({"timeline": {"title": "x" * (1 << 20)}})
    long = await client.post("/internal/renders", content=order, headers={"content-type": "application/json"})
    assert long.status_code == 413
    wrong = await client.post("/internal/files", content=b"x", headers={"content-type": "text/plain"})
    assert (wrong.status_code, wrong.json()["code"]) == (415, "unsupported_media_type")


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/internal/renders/rnd_x", f"/internal/files/{'0' * 64}"):
        assert (await client.get(path)).json()["code"] == "not_found"
    assert (await client.get("/internal/files/..%2Fsecret")).status_code == 404


NEEDED = {"admin_port": 1, "database_url": "postgresql://a@b:1/c", "kafka_bootstrap_servers": "a:1"}


@pytest.mark.parametrize(
    ("host", "key", "starts"),
    [("127.0.0.1", None, True), ("localhost", None, True), ("::1", None, True), ("0.0.0.0", None, False),  # noqa: S104
     ("10.0.0.5", None, False), ("render", None, False), ("0.0.0.0", KEY, True), ("127.0.0.1", "short", False)],  # noqa: S104
)  # fmt: skip
def test_who_can_be_reached_from_outside_has_a_key(host: str, key: str | None, starts: bool) -> None:
    given = NEEDED | {"http_host": host} | ({"fanta_projekt_api_key": key} if key else {})
    if starts:
        assert Settings.model_validate(given).http_port == 3123
    else:
        with pytest.raises(ValueError, match="fanta_projekt_api_key"):
            Settings.model_validate(given)
