"""A whole production over the public API: how long one waits for a film, in lengths of the film."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from fenta.embedded.supervisor import Stack
from tests.e2e.frames import probe
from tests.support.people import Person
from tools.bench.page import result

RUNS = 3
FACTS = [
    "The universe is about thirteen point eight billion years old.",
    "Light from farther away has not had the time to reach us.",
    "Space stretches, and pulls old light out of sight.",
    "A faint glow of the young universe still fills the whole sky.",
]


def run() -> list[dict[str, Any]]:
    """Three films of about 30 s at 1080p, one after the other, on a stack of their own."""
    with tempfile.TemporaryDirectory(prefix="fenta-bench-") as home, Stack(Path(home)) as stack:
        ratios = asyncio.run(_ratios(stack.url))
    return [result("job.wall_ratio", "whole job, wall time / length of the video", ratios, goal="<= 1.0")]


async def _ratios(url: str) -> list[float]:
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        person = await Person.register(http)
        return [await _ratio(person, number) for number in range(RUNS)]


async def _ratio(person: Person, number: int) -> float:
    started = time.perf_counter()
    body = {"topic": f"Why the night sky is dark, part {number}", "points": FACTS, "duration_seconds": 30}
    answer = await person.post("/video/generate", body)
    job = await person.until_job(answer.json()["id"], seconds=300)
    seconds = time.perf_counter() - started
    if job["status"] != "completed":
        raise RuntimeError(f"the job is {job['status']}: {job['error']}")
    film = await person.http.get(job["video_url"])
    return seconds / probe(film.content).seconds
