"""Under a load of short jobs anything dies at random, one blow overlapping the next; each job still ends once.

`SEED`, `SEEDS` and `KILLS` choose what is tried: `make test-faults KILLS=200 SEED=7`.
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from fenta.embedded.supervisor import Stack
from tests.support.invariants import assert_all_is_well, assert_nothing_is_held_for_ever
from tests.support.people import Person
from tests.support.receiver import Receiver
from tests.support.storm import Storm, blows

KILLS = int(os.environ.get("KILLS") or 10)
FIRST_SEED = int(os.environ.get("SEED") or 1)
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("SEEDS") or 1))
FROZEN_SECONDS = float(os.environ.get("FROZEN_SECONDS") or 8)
JOBS_AT_ONCE = 3


def test_what_happens_follows_from_the_seed() -> None:
    planned = blows(7, 60, frozen_seconds=20)
    assert planned == blows(7, 60, frozen_seconds=20)
    assert planned != blows(8, 60, frozen_seconds=20)
    kinds = [blow.kind for blow in planned]
    assert kinds.count("kill") + kinds.count("relay") == 60
    assert {blow.target for blow in planned if blow.kind == "freeze"} == {
        "gateway", "workflow", "generation", "render", "billing", "notifier",
    }  # fmt: skip
    assert {blow.target for blow in planned if blow.kind == "stop"} == {"postgres", "broker", "objectstore"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_random_deaths_lose_double_and_block_nothing(
    faulty: Stack, crashes: Path, person: Person, receiver: Receiver, seed: int
) -> None:
    started = time.monotonic()
    storm, jobs = Storm(faulty, crashes), list[str]()
    raging = asyncio.create_task(storm.rage(blows(seed, KILLS, frozen_seconds=FROZEN_SECONDS)))

    await asyncio.gather(*(keep_asking(person, raging, jobs) for _ in range(JOBS_AT_ONCE)))
    await raging
    await asyncio.to_thread(faulty.wait_ready)

    print(f"\nseed {seed}: {KILLS} kills, {dict(storm.struck)}")
    for job_id in jobs:
        await assert_all_is_well(faulty, person, job_id, receiver)
    await assert_nothing_is_held_for_ever(faulty)
    print(f"seed {seed}: {len(jobs)} jobs completed in {time.monotonic() - started:.0f} s")


async def keep_asking(person: Person, raging: "asyncio.Task[None]", jobs: list[str]) -> None:
    """One short job after the other for as long as it storms; the last one ends afterwards."""
    while not raging.done():
        job_id = await person.insist_on_video(music=False, captions=False)
        jobs.append(job_id)
        await person.until_job(job_id, seconds=600)
