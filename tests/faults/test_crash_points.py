"""A process dies in the gap between two short steps, and the next one goes on without doing anything twice."""

import uuid
from pathlib import Path

import pytest

from fenta.contracts.topics import TOPICS
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.faults.conftest import ALL_FAULTS
from tests.support.bus import Sent, send
from tests.support.crash import armed, is_armed
from tests.support.gaps import OWN, SHARED, Gap, all_gaps, named_in_source, one_of_each, rounds
from tests.support.invariants import assert_all_is_well, rows
from tests.support.people import SMALL, Person, newcomer
from tests.support.receiver import Receiver

# `make test-faults` walks every gap in every service, one in each at a time; `make test` each gap once, more at a time.
ROUNDS = rounds(all_gaps()) if ALL_FAULTS else rounds(one_of_each(), at_once=3)
MOST_JOBS = 3
SCRIPT = {"title": "Two facts", "segments": [{"content": "Octopuses have three hearts."}]}
# What makes a service come by a gap that its ordinary course does not lead to.
NUDGES = {
    "job.woken": "UPDATE job SET wake_at = now() WHERE status NOT IN ('completed', 'failed', 'cancelled')",
    "holds.released": "UPDATE hold SET expires_at = now() - interval '1 second' WHERE state = 'open'",
}
DROP = "UPDATE dead_letter SET dropped_at = now(), note = 'on purpose' WHERE key = $1 RETURNING id"
LETTERS = "SELECT reason, count(*) AS n FROM dead_letter WHERE key = ANY($1) GROUP BY key, reason"
BAD_TOPICS = {"generation": "cancellation.requested", "render": "cancellation.requested", "workflow": "step.failed"}


def test_every_gap_that_the_code_names_is_walked() -> None:
    ours = {point: {service} for service, points in OWN.items() for point in points}
    assert named_in_source() == {point: {"chassis"} for point in SHARED} | ours


@pytest.mark.parametrize("gaps", ROUNDS, ids=lambda gaps: f"{gaps[0][1]}...{gaps[-1][1]}")
async def test_a_death_in_the_gap_doubles_nothing(
    faulty: Stack, crashes: Path, person: Person, receiver: Receiver, gaps: list[Gap]
) -> None:
    for service, point in gaps:
        armed(crashes / service, point)
    jobs: list[str] = []

    await newcomer(person.http)
    bad = [service for service, point in gaps if _needs_a_bad_record(service, point)]
    keys = [await set_aside(faulty, service) for service in bad]
    while left := [gap for gap in gaps if is_armed(crashes / gap[0], gap[1])]:
        assert len(jobs) < MOST_JOBS, f"nothing died at {left}"
        jobs.append(await ask_for_a_job(person, left))
        await until(lambda job=jobs[-1]: ended(faulty, person, job, gaps), seconds=240)

    for job_id in jobs:
        await assert_all_is_well(faulty, person, job_id, receiver)
    await assert_each_letter_once(faulty, keys)


def _needs_a_bad_record(service: str, point: str) -> bool:
    """Notifier tells of nothing but what it set aside."""
    return point.startswith("letters.") or (service == "notifier" and point.startswith(("outbox.", "relay.")))


async def ask_for_a_job(person: Person, left: list[Gap]) -> str:
    if ("workflow", "object.stored") in left:
        return str((await person.insist("/jobs", {"script": SCRIPT, "settings": SMALL}))["id"])
    return await person.insist_on_video(music=False, captions=False)


async def ended(stack: Stack, person: Person, job_id: str, gaps: list[Gap]) -> bool:
    for service, point in gaps:
        if point in NUDGES:
            await rows(stack, service, NUDGES[point])
    return await person.has_ended(job_id)


async def set_aside(stack: Stack, service: str) -> bytes:
    """A record that nobody can read becomes one letter in each service that reads its topic; all let go of it.

    Answers the record's key.
    """
    topic, key = BAD_TOPICS.get(service, "job.completed"), uuid.uuid4().bytes
    await send(stack.environment(service)["KAFKA_BOOTSTRAP_SERVERS"], Sent(topic, b"{}", key=key))
    for reader in TOPICS[topic].consumers:
        await until(lambda reader=reader: rows(stack, reader, DROP, key), seconds=120)
    return key


async def assert_each_letter_once(stack: Stack, keys: list[bytes]) -> None:
    """Of the records that were sent here; other tests leave letters of theirs."""
    for service in stack.services:
        found = await rows(stack, service, LETTERS, keys)
        assert all((row["reason"], row["n"]) == ("bad_headers", 1) for row in found), found
