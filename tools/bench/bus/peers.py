"""T4: steps per second beside three queues for Python over the same Postgres, each as its own pages recommend.

Each peer is a script of its own (`peer_<name>.py`), run by the interpreter of an environment that `make bench` and
`make bench-bus` set up; without that environment nothing is measured here.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import uvloop

from tools.bench.bus.path import open_path
from tools.bench.bus.stage import Stage, stage
from tools.bench.page import result

ENVIRONMENT = Path(__file__).parents[3] / ".venv-peers"
ROUNDS = 7
JOBS = 2000
STEPS = 5
LIMIT_SECONDS = 120


class Peer(NamedTuple):
    """How many jobs it does in one round, and how many times its speed ours must be."""

    name: str
    jobs: int
    least: float
    what: str


PEERS = [
    Peer("pgqueuer", 10_000, 0.8, "pgqueuer, batches of 100"),
    Peer("procrastinate", 500, 15, "procrastinate, one worker, 16 at a time"),
    Peer("dbos", 100, 15, "DBOS, workflows of five steps, 16 at a time"),
]


def run() -> list[dict[str, Any]]:
    if not (ENVIRONMENT / ".ready").exists():
        print("  no environment of the peers here: T4 is left out", flush=True)
        return []
    with stage() as here:
        rounds = uvloop.run(_rounds(here))
    lines = []
    for peer in PEERS:
        theirs = [one[peer.name] for one in rounds]
        ratios = [one["ours"] / one[peer.name] for one in rounds]
        lines += [
            result(f"bus.{peer.name}", f"steps per second, {peer.what}", theirs),
            result(f"T4.{peer.name}", f"steps per second / those of {peer.name}", ratios, goal=f">= {peer.least:g}"),
        ]
    return lines


async def _rounds(here: Stage) -> list[dict[str, float]]:
    """Steps per second of each, all in turn; the first round warms up and does not count."""
    urls = {peer.name: await _database(here, peer.name) for peer in PEERS}
    async with open_path(here) as path:
        rounds = []
        for _ in range(ROUNDS + 1):
            speeds = {"ours": JOBS * STEPS / await path.walk(jobs=JOBS, steps=STEPS)}
            for peer in PEERS:
                speeds[peer.name] = await _speed(peer, urls[peer.name])
            rounds.append(speeds)
    return rounds[1:]


async def _database(here: Stage, name: str) -> str:
    """One for each, empty, on the server of the service."""
    connection = await asyncpg.connect(here.superuser_url)
    await connection.execute(f"CREATE DATABASE bench_{name}")
    await connection.close()
    return urlunsplit(urlsplit(here.superuser_url)._replace(path=f"/bench_{name}"))


async def _speed(peer: Peer, url: str) -> float:
    """In a process of its own; the service rests meanwhile."""
    script = Path(__file__).with_name(f"peer_{peer.name}.py")
    # Safe path: the modules beside the script are none of its business.
    command = (str(ENVIRONMENT / "bin" / "python"), "-P", str(script), url, str(peer.jobs))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        answer, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{peer.name} ended with {process.returncode}")
    return float(json.loads(answer)["rate"])
