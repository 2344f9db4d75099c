"""Credits: priced before, held while, captured after, never twice, never more than there is."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.conftest import until
from tests.e2e.test_video_journey import books_are_closed
from tests.support.people import SMALL, Person

TOPICS = [
    ("Why the night sky is dark", []),
    ("How bees find their way home", ["Bees read the angle of the sun.", "They dance to tell the others."]),
    ("Pourquoi la mer est salée", ["Les rivières portent le sel des roches."]),
    ("Warum Brot aufgeht", ["Hefe macht aus Zucker Gas."]),
    ("Perché il cielo è blu", ["La luce blu si diffonde di più."]),
]
LANGUAGES = ["en", "en", "fr", "de", "it"]


@pytest.mark.timeout(900)  # Twenty films take long where others work too.
async def test_what_twenty_briefs_cost_lies_within_their_estimates(person: Person) -> None:
    async def estimated_and_made(body: dict[str, Any]) -> tuple[str, dict[str, tuple[int, int]]]:
        estimate = (await person.post("/video/generate?dry_run=true", body)).json()
        bounds = {unit["unit"]: (unit["low"], unit["high"]) for unit in estimate["units"]}
        return (await person.post("/video/generate", body)).json()["id"], bounds

    jobs = await asyncio.gather(*(estimated_and_made(varied(number)) for number in range(20)))

    for job_id, bounds in jobs:
        job = await person.until_job(job_id, seconds=600)
        assert job["status"] == "completed", job["error"]
        captured = await books_are_closed_of(person, job_id)
        for unit, (low, high) in bounds.items():
            assert low <= captured.get(unit, 0) <= high, (unit, captured, bounds)


def varied(number: int) -> dict[str, Any]:
    """The body of one request among twenty."""
    topic, points = TOPICS[number % 5]
    return {
        "topic": f"{topic} {number}",
        "points": points,
        "language": LANGUAGES[number % 5],
        "duration_seconds": 5,
        "music": False if number % 2 else {"mood": "ambient"},
        "settings": SMALL,
    }


async def books_are_closed_of(person: Person, job_id: str) -> dict[str, int]:
    """The captures of one job among several, compared with its manifest."""

    async def captured() -> dict[str, int] | None:
        lines = (await person.get("/tokens/history", job_id=job_id, limit=100))["data"]
        kinds = [line["kind"] for line in lines]
        if "release" not in kinds:
            return None
        found: dict[str, int] = {}
        for line in lines:
            if line["kind"] == "capture":
                found[line["unit"]] = found.get(line["unit"], 0) + abs(line["quantity"])
        return found

    found: dict[str, int] = await until(captured)
    manifest = await person.get(f"/jobs/{job_id}/manifest")
    assert manifest["usage"] == found
    return found


async def test_a_cost_limit_below_the_least_is_refused_at_the_door(person: Person) -> None:
    answer = await person.post("/video/generate", {"topic": "Anything at all", "max_cost": {"amount_micros": 1}})

    assert (answer.status_code, answer.json()["code"]) == (402, "max_cost_too_low")
    assert (await person.get("/jobs"))["data"] == []


async def test_an_estimate_without_points_says_that_no_facts_are_known(person: Person) -> None:
    answer = (await person.post("/video/generate?dry_run=true", {"topic": "Why the night sky is dark"})).json()

    assert "knows no facts" in " ".join(answer["notes"])
    assert answer["quota"]["ok"] is True
    assert answer["cost"]["low"]["amount_micros"] <= answer["cost"]["high"]["amount_micros"]
    assert (await person.get("/jobs"))["data"] == []


async def test_the_same_idempotency_key_makes_one_job(person: Person) -> None:
    body = {"topic": "Why the night sky is dark", "settings": SMALL, "duration_seconds": 5}

    first = await person.post("/video/generate", body, **{"idempotency-key": "sky-1"})
    second = await person.post("/video/generate", body, **{"idempotency-key": "sky-1"})
    other = await person.post("/video/generate", {**body, "topic": "Other"}, **{"idempotency-key": "sky-1"})

    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await person.get("/jobs"))["data"]) == 1
    await person.post(f"/jobs/{first.json()['id']}/cancel")


async def test_a_cancel_while_rendering_ends_the_job_and_its_hold(person: Person) -> None:
    job_id = await person.make_video(duration_seconds=20, settings={"image": SMALL["image"]})
    await person.until_step(job_id, "render", "running")

    answer = await person.post(f"/jobs/{job_id}/cancel")
    again = await person.post(f"/jobs/{job_id}/cancel")
    job = await person.until_job(job_id)

    assert answer.status_code == again.status_code == 202
    assert (job["status"], job["cancel_reason"]) == ("cancelled", "user")
    captured = await books_are_closed(person, job_id)
    assert "render_seconds" not in captured
    retried = await person.post(f"/jobs/{job_id}/retry")
    assert retried.json()["root_job_id"] == job_id
    steps = await _until_reused(person, retried.json()["id"])
    assert steps["script"]["reused_from"]
    await person.post(f"/jobs/{retried.json()['id']}/cancel")


async def _until_reused(person: Person, job_id: str) -> dict[str, dict[str, Any]]:
    async def reused() -> dict[str, dict[str, Any]] | None:
        steps = await person.steps(job_id)
        return steps if steps.get("script", {}).get("status") == "completed" else None

    found: dict[str, dict[str, Any]] = await until(reused)
    return found


async def test_nobody_signs_in_with_nothing(client: httpx.AsyncClient) -> None:
    for path in ("/v1/jobs", "/v1/assets", "/v1/webhooks", "/v1/tokens/balance", "/v1/models", "/v1/me"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required"), path
