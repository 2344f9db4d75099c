"""The last credits of an account pay for one job, however many ask for them at once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fenta.contracts.events import UsageRecorded
from fenta.contracts.ids import new_id
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.e2e.test_money import books_are_closed_of
from tests.support.bus import send, sent
from tests.support.invariants import assert_books_balance, rows
from tests.support.people import Person, brief
from tests.support.processes import frozen

UNIT = "kai_credits"


async def test_two_jobs_at_once_for_the_last_credits(stack: Stack, person: Person) -> None:
    await leave(stack, person, await most_that_a_job_takes(person))

    # The door cannot ask what is left, so both pass it, and the hold decides.
    with frozen(stack, "billing"):
        answers = await asyncio.gather(*(person.post("/video/generate", brief()) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [202, 202]
    jobs = [await person.until_job(answer.json()["id"]) for answer in answers]

    made, refused = sorted(jobs, key=lambda job: str(job["status"]))
    assert (made["status"], refused["status"]) == ("completed", "failed")
    assert refused["error"]["code"] == "insufficient_credits"
    assert {step["status"] for step in (await person.steps(refused["id"])).values()} <= {"cancelled", "skipped"}
    captured = await books_are_closed_of(person, made["id"])
    assert captured[UNIT] > 0
    assert (await person.get("/tokens/history", job_id=refused["id"]))["data"] == []
    await assert_settled(stack, person, {made["id"]: "released", refused["id"]: "refused"})


async def test_who_has_nothing_left_is_refused_at_the_door(stack: Stack, person: Person) -> None:
    await leave(stack, person, 1)

    answer = await person.post("/video/generate", brief())

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["missing"][UNIT] > 0
    assert problem["hint"]
    assert (await person.get("/jobs"))["data"] == []
    await assert_settled(stack, person, {})


async def most_that_a_job_takes(person: Person) -> int:
    estimate = (await person.post("/video/generate?dry_run=true", brief())).json()
    return int(next(unit["high"] for unit in estimate["units"] if unit["unit"] == UNIT))


async def leave(stack: Stack, person: Person, quantity: int) -> None:
    """Let everything but this many credits of the month be used."""
    available = await until(lambda: balance(person, "available"))
    line = UsageRecorded(
        org_id=person.org_id,
        usage_id=new_id("usage"),
        unit=UNIT,
        quantity=available - quantity,
        occurred_at=datetime.now(UTC),
        detail={"provider": "local"},
    )
    await send(stack.environment("billing")["KAFKA_BOOTSTRAP_SERVERS"], sent(line))

    async def used() -> bool:
        return await balance(person, "available") == quantity

    await until(used)


async def balance(person: Person, account: str) -> int:
    return int((await person.get("/tokens/balance"))["balances"][UNIT][account])


async def assert_settled(stack: Stack, person: Person, states: dict[str, str]) -> None:
    """Nothing is held any more, every transaction sums to zero, and the holds ended like this."""

    async def holds() -> dict[str, Any]:
        found = await rows(stack, "billing", "SELECT job_id, state FROM hold WHERE org_id = $1", person.org_id)
        return {row["job_id"]: row["state"] for row in found}

    async def as_expected() -> bool:
        return await holds() == states

    await until(as_expected)
    assert await balance(person, "held") == 0
    await assert_books_balance(stack)
