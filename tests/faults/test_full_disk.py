"""The render service runs out of room in the middle of a job: it says so, leaves nothing, charges nothing."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.invariants import assert_all_is_well, assert_books_balance, nothing_is_held, rows
from tests.support.people import Person
from tests.support.receiver import Receiver

# Room for the service's log and for pictures, too little for the sound of five seconds before it is compressed.
ROOM_BYTES = 1_500_000
NEXT_TRY_NOW = "UPDATE task SET run_at = now() WHERE state = 2 AND run_at > now()"


async def test_a_render_without_room_fails_unbilled_and_succeeds_once_there_is_some(
    faulty: Stack, person: Person, receiver: Receiver
) -> None:
    with little_room(faulty.pids()["render"]):
        job_id = await person.make_video()
        job = await ended(faulty, person, job_id)

    assert job["status"] == "failed"
    assert (job["error"]["code"], job["error"]["class"]) == ("disk_full", "transient")
    assert job["error"]["message"]
    assert job["error"]["hint"]
    assert [output["name"] for output in job["outputs"]] == ["script"]
    assert files_below(faulty.home.path / "work") == []
    manifest = await person.get(f"/jobs/{job_id}/manifest")
    assert "render_seconds" not in manifest["usage"]
    await until(lambda: nothing_is_held(person))
    await assert_books_balance(faulty)
    await receiver.until("render.failed")

    again = (await person.post(f"/jobs/{job_id}/retry")).json()["id"]

    await assert_all_is_well(faulty, person, again, receiver)
    steps = await person.steps(again)
    assert [key for key, step in steps.items() if not step["reused_from"]] == ["render", "done"]
    assert files_below(faulty.home.path / "work") == []


@contextlib.contextmanager
def little_room(process_id: int) -> Iterator[None]:
    """No file that the process or its children write may become larger inside, as on a disk with a quota."""
    before = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (ROOM_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, before)


async def ended(stack: Stack, person: Person, job_id: str) -> dict[str, Any]:
    """The job once it has ended; the render's tries follow one another without their pauses."""

    async def over() -> dict[str, Any] | None:
        await rows(stack, "render", NEXT_TRY_NOW)
        job = await person.job(job_id)
        return job if job["status"] in ("completed", "failed", "cancelled") else None

    found: dict[str, Any] = await until(over, seconds=180)
    return found


def files_below(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names]
