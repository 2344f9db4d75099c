"""A process that stood still while another one took its place comes back: it writes nothing more, and ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fenta.chassis.backlog import SILENT_SECONDS
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.faults.conftest import ALL_FAULTS
from tests.support.invariants import assert_all_is_well, rows
from tests.support.people import Person
from tests.support.processes import Replica
from tests.support.receiver import Receiver

OPEN = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
)
# All but who is there and whose turn it is: any process writes that every few seconds, and it only ever rises.
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT IN ('worker', 'task_mark') ORDER BY 1"


EACH = ["generation", "render", "notifier", "workflow", "billing", "gateway"]


@pytest.mark.parametrize("service", EACH if ALL_FAULTS else EACH[:1])
async def test_a_zombie_writes_nothing_when_it_returns(
    faulty: Stack, person: Person, receiver: Receiver, tmp_path: Path, service: str
) -> None:
    job_id = await person.make_video(music=False, captions=False)
    async with standing_still(faulty, service) as zombie:
        # Another process under the same name, as when a machine is given up for lost.
        with Replica(faulty, service, tmp_path / "replacement.log", instance_id="0") as replacement:
            await replacement.ready()
            # It may have had the outbox when it stopped, and has it for some time yet.
            await until(lambda: all_is_done(faulty, job_id), seconds=120 + SILENT_SECONDS)
            written, told = await contents(faulty, service), len(receiver.received)

            zombie.resume()

            await until(lambda: has_ended(zombie), seconds=60)
            assert await contents(faulty, service) == written
            assert len(receiver.received) == told
    await asyncio.to_thread(faulty.wait_ready, service)
    await assert_all_is_well(faulty, person, job_id, receiver, zombies=True)


@contextlib.asynccontextmanager
async def standing_still(stack: Stack, service: str) -> AsyncIterator[psutil.Process]:
    """Stopped with a task in hand, or with a job on its way; but not inside a transaction, which holds its locks."""
    if service in ("generation", "render", "notifier"):
        await until(lambda: rows(stack, service, "SELECT 1 FROM task WHERE state = 1"), seconds=120)
    process = psutil.Process(stack.pids()[service])

    async def still() -> bool:
        process.suspend()
        if not await rows(stack, service, OPEN, service):
            return True
        process.resume()
        return False

    try:
        await until(still)
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


async def all_is_done(stack: Stack, job_id: str) -> bool:
    """The job has ended, everything that it led to is done, and every event has been told."""
    (job,) = await rows(stack, "workflow", "SELECT status FROM job WHERE id = $1", job_id)
    if job["status"] not in ("completed", "failed", "cancelled"):
        return False
    (hold,) = await rows(stack, "billing", "SELECT state FROM hold WHERE job_id = $1", job_id)
    delivered = await rows(
        stack, "notifier", "SELECT 1 FROM event WHERE type = 'job.completed' AND subject = $1", job_id
    )
    left = [
        await rows(stack, name, "SELECT id FROM task UNION ALL SELECT topic FROM outbox_event")
        for name in stack.services
    ]
    return hold["state"] == "released" and bool(delivered) and not any(left)


async def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def contents(stack: Stack, service: str) -> dict[str, Any]:
    """What each table of the service holds, and which transaction wrote each row."""
    found = {}
    for table in [row["tablename"] for row in await rows(stack, service, TABLES, service)]:
        question = f"SELECT xmin::text, t::text FROM {table} t ORDER BY 1, 2"  # noqa: S608  our own names
        found[table] = [tuple(row) for row in await rows(stack, service, question)]
    return found
