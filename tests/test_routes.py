"""Manners that every route of every service has; the list of routes is what each service says of itself."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fenta.contracts.topics import SERVICES
from tools.apps import app_of

INWARD = [name for name in SERVICES if name != "gateway"]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Method and path, ids filled in."""
    for path, item in document["paths"].items():
        yield from ((method.upper(), path.replace("{", "").replace("}", "")) for method in item)


@pytest.mark.parametrize("service", INWARD)
async def test_an_unknown_query_name_is_refused_on_every_route(service: str) -> None:
    app = app_of(service)
    found = [*operations(app.openapi()), *([("POST", "/internal/quote")] if service == "billing" else [])]
    assert found
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{service}") as client:
        for method, path in found:
            answer = await client.request(method, path, params={"zzz": "1"})
            assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter"), f"{method} {path}"
            assert answer.json()["detail"] == "There is no parameter zzz."


@pytest.mark.parametrize("service", INWARD)
async def test_every_query_name_that_is_described_is_known(service: str) -> None:
    app = app_of(service)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{service}") as client:
        for path, item in app.openapi()["paths"].items():
            for method, operation in item.items():
                names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
                answer = await client.request(method, path, params=dict.fromkeys(names, "1"))
                assert answer.json()["code"] == "authentication_required", f"{method} {path} {names}"
