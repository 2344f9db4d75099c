"""What must hold after whatever has happened to a job; read from the outside and from the services' own tables."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg

from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.support.people import Person
from tests.support.receiver import Receiver


async def rows(stack: Stack, service: str, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Ask a service's database as that service."""
    connection = await asyncpg.connect(stack.environment(service)["DATABASE_URL"])
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()


async def assert_all_is_well(
    stack: Stack, person: Person, job_id: str, receiver: Receiver | None = None, *, zombies: bool = False
) -> None:
    """One video, books that sum to zero, a closed hold, nothing stuck, each call made and each news told once.

    After `zombies` an engine may have been asked again, and have answered with the call that it knew.
    """
    job = await person.until_job(job_id, seconds=300)
    assert job["status"] == "completed", job["error"]
    assert [output["name"] for output in job["outputs"]].count("video") == 1
    await until(lambda: _hold_is_closed(stack, job_id), seconds=180)
    await assert_books_balance(stack)
    assert_one_call_per_step(stack)
    if not zombies:
        steps = [row["id"] for row in await rows(stack, "workflow", "SELECT id FROM step WHERE job_id = $1", job_id)]
        assert engine_repeats(stack).keys() & set(steps) == set()
    await until(lambda: _nothing_is_left(stack), seconds=180)
    if receiver:
        await receiver.until("job.completed", seconds=180)
        assert set(receiver.ids_per_event().values()) == {1}, receiver.ids_per_event()


async def _hold_is_closed(stack: Stack, job_id: str) -> bool:
    found = await rows(stack, "billing", "SELECT state FROM hold WHERE job_id = $1", job_id)
    return bool(found) and found[0]["state"] not in ("open", "held", "ending")


async def nothing_is_held(person: Person) -> bool:
    """As the public interface tells it."""
    balances = (await person.get("/tokens/balance"))["balances"]
    return all(unit["held"] == 0 for unit in balances.values())


async def assert_books_balance(stack: Stack) -> None:
    """Double entry: every transaction sums to zero, unit by unit."""
    wrong = await rows(
        stack,
        "billing",
        "SELECT transaction_id, unit, sum(amount) FROM ledger_posting GROUP BY 1, 2 HAVING sum(amount) <> 0",
    )
    assert wrong == []


def engine_calls(stack: Stack) -> Counter[str]:
    """How often the local engines took a call, by step; one of the same model is not taken again."""
    return Counter(key for key, _ in _engine_ledger(stack))


def engine_repeats(stack: Stack) -> Counter[str]:
    """How often they were asked for what they had taken already, by step."""
    return +(Counter(key for key, _ in _engine_ledger(stack).elements()) - engine_calls(stack))


def _engine_ledger(stack: Stack) -> Counter[tuple[str, str]]:
    """Its lines, by step and model."""
    ledger = Path(stack.environment("generation")["ENGINE_FOLDER"]) / "ledger.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return Counter((call["key"], call["model"]) for call in map(json.loads, filter(None, lines)))


def assert_one_call_per_step(stack: Stack) -> None:
    twice = [key for key, count in engine_calls(stack).items() if count > 1]
    assert twice == []


async def _nothing_is_left(stack: Stack) -> bool:
    """No task waits or is held, no event is untold, no letter is dead."""
    for service in stack.services:
        dead = "SELECT topic, reason, error, stack FROM dead_letter WHERE dropped_at IS NULL"
        letters = [dict(row) for row in await rows(stack, service, dead)]
        assert letters == [], f"{service} has dead letters"
        left = "SELECT (SELECT count(*) FROM task) + (SELECT count(*) FROM outbox) AS n"
        if (await rows(stack, service, left))[0]["n"]:
            return False
    return True


async def assert_nothing_is_held_for_ever(stack: Stack) -> None:
    """No task is leased, every hold is closed, and no temporary file or object is left of the dead."""
    for service in stack.services:
        assert await rows(stack, service, "SELECT id FROM task") == []
    assert await rows(stack, "billing", "SELECT job_id FROM hold WHERE state IN ('open', 'ending')") == []
    # A crew that has worked for somebody else's film is kept for its next segment, and its folder with it.
    await until(lambda: _no_temporary_file(stack), seconds=60)


async def _no_temporary_file(stack: Stack) -> bool:
    return not temporary_files(stack)


def temporary_files(stack: Stack) -> list[str]:
    """In the folders of work of render and generation, and under `tmp/` in the object store."""
    home = stack.home.path
    folders = (home / "work", home / "engines" / "tmp")
    files = [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    notes = [json.loads(path.read_text()) for path in (home / "objectstore" / "keys").glob("*/*.json")]
    return files + [note["key"] for note in notes if note["key"].startswith("tmp/")]
