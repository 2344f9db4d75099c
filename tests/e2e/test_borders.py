"""No organisation sees or touches what belongs to another, on any route and in any table."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from fenta.contracts.ids import new_id
from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import Stack
from tests.support.people import Person

# Bodies that are valid but for the id in the path.
BODIES: dict[str, Any] = {"PATCH": {}, "POST": {}, "PUT": {"document": {}}}
OPEN = re.compile(r"^/v1/(auth|openapi|docs|status|version)")


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> Person:
    return await Person.register(client)


async def things_of(owner: Person) -> dict[str, str]:
    """One of everything, by the name its id has in paths."""
    graph = {
        "nodes": [
            {"id": "image", "type": "Input.KAI.GenerateImage", "params": {"prompt": "a", "width": 256, "height": 256}}
        ],
        "outputs": {"image": "image.image"},
    }
    job = (await owner.post("/jobs", {"workflow": graph})).json()["id"]
    await owner.until_job(job)
    hook = (await owner.post("/webhooks", {"url": "http://127.0.0.1:9/", "events": ["job.*"]})).json()["id"]
    asset = (await owner.get("/assets"))["data"][0]["id"]
    return {"job_id": job, "asset_id": asset, "webhook_id": hook, "endpoint_id": hook}


async def test_every_route_with_an_id_answers_404_to_a_foreign_organisation(
    owner: Person, person: Person, client: httpx.AsyncClient
) -> None:
    things = await things_of(owner)
    paths = (await client.get("/v1/openapi.json")).json()["paths"]
    tried = 0
    for path, method in _routes(paths):
        if path.startswith("/v1/access-tokens"):
            continue  # Deleting a token answers 204 whether or not there was one, so that nobody learns which exist.
        filled = _fill(path, things)
        answer = await person.http.request(
            method, filled, headers=_credential(person, path), json=BODIES.get(method), follow_redirects=False
        )
        assert answer.status_code == 404, f"{method} {filled} answered {answer.status_code}: {answer.text[:200]}"
        assert answer.json()["code"] == "not_found"
        tried += 1
    assert tried >= 12


def _routes(paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in paths.items():
        if "{" in path and not OPEN.match(path):
            yield from (
                (path, method.upper()) for method in methods if method in ("get", "post", "patch", "put", "delete")
            )


def _credential(person: Person, path: str) -> dict[str, str]:
    """Tokens are managed by a person who is signed in, not by a token."""
    session = {"authorization": f"Bearer {person.session['access_token']}"}
    return session if path.startswith("/v1/access-tokens") else person.headers


def _fill(path: str, things: dict[str, str]) -> str:
    """Ids of the other organisation where we have them; else ids of things that never were."""
    prefixes = {"webhook": "hook", "delivery": "dlv", "asset": "asset", "job": "job", "token": "pat", "render": "rnd"}

    def put(match: re.Match[str]) -> str:
        name = match[1]
        if name in things:
            return things[name]
        if "webhooks/{" in path and "deliveries/{" not in path:
            return things["webhook_id"]
        return new_id(next((prefix for word, prefix in prefixes.items() if word in name), "job"))

    return re.sub(r"\{([^}]+)\}", put, path)


async def test_no_table_shows_a_row_without_its_organisation(stack: Stack, person: Person) -> None:
    """Raw SELECTs as each service's api role, for every table that has an org_id."""
    await things_of(person)
    seen = 0
    for service in SERVICES:
        connection = await asyncpg.connect(stack.environment(service)["DATABASE_URL"])
        try:
            tables = await _tables_with_org(connection, service)
            assert tables, f"{service} has no table of an organisation"
            for table, org in itertools.product(tables, (None, new_id("org"))):
                rows = await _rows_as_api(connection, service, table, org)
                assert rows == 0, f"{service}.{table} shows {rows} rows to {org}"
                seen += 1
        finally:
            await connection.close()
    assert seen > 20


async def test_the_own_organisation_sees_its_rows(stack: Stack, person: Person) -> None:
    await things_of(person)
    connection = await asyncpg.connect(stack.environment("workflow")["DATABASE_URL"])
    try:
        org_id = await connection.fetchval("SELECT org_id FROM job ORDER BY created_at DESC LIMIT 1")
        assert await _rows_as_api(connection, "workflow", "job", org_id) >= 1
    finally:
        await connection.close()


async def _tables_with_org(connection: asyncpg.Connection, service: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attname = 'org_id' AND NOT a.attisdropped",
        service,
    )
    return [row["relname"] for row in rows]


async def _rows_as_api(connection: asyncpg.Connection, service: str, table: str, org: str | None) -> int:
    """How many rows the api role sees; a table it may not read at all shows none."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"SET LOCAL ROLE fenta_{service}_api")
        if org:
            await connection.execute("SELECT set_config('fenta.org_id', $1, true)", org)
        return int(await connection.fetchval(f'SELECT count(*) FROM "{table}"'))  # noqa: S608  names of our own tables
    except asyncpg.InsufficientPrivilegeError:
        return 0
    finally:
        await transaction.rollback()
