"""A process dies in the gap between two short steps, and the next one goes on without doing anything twice."""

import asyncio
from pathlib import Path

import httpx
import pytest

from fenta.embedded.supervisor import Stack
from tests.e2e.conftest import QUICK
from tests.support.invariants import assert_all_is_well, engine_calls
from tests.support.people import Person
from tests.support.receiver import Receiver


@pytest.mark.parametrize(
    "point",
    ["generation.submitted", "generation.fetched", "relay.sent", "consumer.committed", "film.stored", "delivery.sent"],
)
async def test_a_death_in_the_gap_doubles_nothing(point: str, tmp_path: Path) -> None:
    happened = tmp_path / "happened"
    settings = {**QUICK, "FENTA_CRASH_POINT": point, "FENTA_CRASH_ONCE": str(happened)}
    with Stack(tmp_path / "home", settings=settings) as stack:
        async with (
            httpx.AsyncClient(base_url=stack.url, timeout=30, trust_env=False) as http,
            Receiver.listening() as receiver,
        ):
            person = await _patiently_registered(http)
            await person.post("/webhooks", {"url": receiver.url, "events": ["*"]})
            job_id = await person.make_video(music=False, captions=False)

            await assert_all_is_well(stack, person, job_id, receiver)

        assert happened.exists(), f"nothing died at {point}"
        assert engine_calls(stack)


async def _patiently_registered(http: httpx.AsyncClient) -> Person:
    """The process that dies may be the one that is asked."""
    for _ in range(50):
        try:
            return await Person.register(http)
        except (httpx.HTTPError, AssertionError):
            await asyncio.sleep(0.2)
    return await Person.register(http)
