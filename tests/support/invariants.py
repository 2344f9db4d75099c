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


async def assert_all_is_well(stack: Stack, person: Person, job_id: str, receiver: Receiver | None = None) -> None:
    """One video, books that sum to zero, a closed hold, nothing stuck, each call made and each news told once."""
    job = await person.until_job(job_id, seconds=300)
    assert job["status"] == "completed", job["error"]
    assert [output["name"] for output in job["outputs"]].count("video") == 1
    await until(lambda: _hold_is_closed(stack, job_id), seconds=180)
    await assert_books_balance(stack)
    assert_one_call_per_step(stack)
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
    """How often the local engines were called, by step."""
    ledger = Path(stack.environment("generation")["ENGINE_FOLDER"]) / "ledger.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return Counter(json.loads(line)["key"] for line in lines)


def assert_one_call_per_step(stack: Stack) -> None:
    twice = {key: count for key, count in engine_calls(stack).items() if count > 1}
    assert twice == {}


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
