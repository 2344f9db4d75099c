"""A process dies in the gap between two short steps, and the next one goes on without doing anything twice."""

from pathlib import Path

import pytest

from fenta.embedded.supervisor import Stack
from tests.support.crash import armed, is_armed
from tests.support.invariants import assert_all_is_well
from tests.support.people import Person
from tests.support.receiver import Receiver


@pytest.mark.parametrize(
    "point",
    ["generation.submitted", "generation.fetched", "relay.sent", "consumer.committed", "film.stored", "delivery.sent"],
)
async def test_a_death_in_the_gap_doubles_nothing(
    faulty: Stack, crashes: Path, person: Person, receiver: Receiver, point: str
) -> None:
    armed(crashes, point)

    job_id = await person.make_video(music=False, captions=False)

    await assert_all_is_well(faulty, person, job_id, receiver)
    assert not is_armed(crashes, point), f"nothing died at {point}"
