"""Health: a stuck process is not alive, a part that is down makes it unready, a degraded one only for the strict."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from fenta.chassis.health import Check, Health
from tests.chassis.conftest import Start
from tests.conftest import until


@pytest.fixture
async def ask() -> AsyncIterator[Callable[[Health, str], Any]]:
    clients: list[httpx.AsyncClient] = []

    async def get(health: Health, path: str) -> httpx.Response:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(health.admin_app()), base_url="http://admin")
        clients.append(client)
        return await client.get(path)

    yield get
    for client in clients:
        await client.aclose()


def health_with(**states: Any) -> Health:
    health = Health("billing")
    for name, state in states.items():

        async def probe(state: Any = state) -> Check:
            if isinstance(state, Exception):
                raise state
            return Check(state, f"It is {state}.")

        health.add(name, probe)
    return health


@pytest.mark.parametrize(
    ("state", "lenient", "strict"),
    [("ok", 200, 200), ("degraded", 200, 503), ("down", 503, 503), (OSError("gone"), 503, 503)],
    ids=["ok", "degraded", "down", "raising"],
)
async def test_readiness_is_as_good_as_the_worst_part(ask: Any, state: Any, lenient: int, strict: int) -> None:
    health = health_with(postgres="ok", part=state)

    assert (await ask(health, "/readyz")).status_code == lenient
    assert (await ask(health, "/readyz?strict=true")).status_code == strict


async def test_the_report_says_of_each_part_how_it_is_and_since_when(ask: Any) -> None:
    health = health_with(postgres="ok", outbox="degraded", kafka=OSError("gone"))

    first, second = (await ask(health, "/readyz")).json(), (await ask(health, "/readyz")).json()

    assert (first["service"], first["status"]) == ("billing", "down")
    assert {name: check["status"] for name, check in first["checks"].items()} == {
        "postgres": "ok",
        "outbox": "degraded",
        "kafka": "down",
    }
    assert first["checks"]["kafka"]["sentence"] == "OSError: gone"
    assert first["checks"]["outbox"]["since"] == second["checks"]["outbox"]["since"]


async def test_a_process_that_stops_is_not_ready(ask: Any) -> None:
    health = health_with(postgres="ok")
    health.draining = True

    assert (await ask(health, "/readyz")).status_code == 503
    assert (await ask(health, "/livez")).status_code == 200


async def test_a_stuck_loop_is_not_alive_and_recovers(ask: Any, start: Start) -> None:
    health = Health("billing", stuck_seconds=0)

    assert (await ask(health, "/livez")).json() == {"status": "stuck"}

    beating = Health("billing", stuck_seconds=5)
    start(beating.tick())

    async def alive() -> bool:
        return bool((await ask(beating, "/livez")).status_code == 200)

    await until(alive)


async def test_a_part_that_does_not_answer_is_down(ask: Any) -> None:
    health = Health("billing", check_seconds=0.05)

    async def hang() -> Check:
        await asyncio.Event().wait()
        return Check("ok", "never")

    health.add("slow", hang)

    assert (await ask(health, "/readyz")).json()["checks"]["slow"]["status"] == "down"


async def test_metrics_are_for_prometheus(ask: Any) -> None:
    answer = await ask(Health("billing"), "/metrics")

    assert "fenta_chassis_dead_letters_total" in answer.text
