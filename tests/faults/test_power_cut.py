"""Everything dies at once while pictures are made, as in a power cut, and the next `fenta up` goes on from there."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from fenta.embedded.home import Home
from fenta.embedded.supervisor import Stack
from tests.conftest import until
from tests.e2e.conftest import QUICK
from tests.support.invariants import assert_all_is_well, engine_calls
from tests.support.people import Person
from tests.support.receiver import Receiver

# One picture after the other, so that one is finished while another is being made; each takes an engine seconds.
SETTINGS = QUICK | {"ENGINE_HELPERS": "1"}
LARGE = {"image": {"width": 1080, "height": 1920}, "render": {"resolution": "720p"}}


async def test_everything_killed_while_pictures_are_made(tmp_path: Path) -> None:
    async with Receiver.listening() as receiver:
        with first_life(tmp_path) as home:
            url = await until(lambda: address(home), seconds=90)
            async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
                person = await Person.register(http)
                await person.post("/webhooks", {"url": receiver.url, "events": ["*"]})
                job_id = await person.make_video(duration_seconds=6, settings=LARGE, music=False)
                done = await until(lambda: midway(home, person, job_id), seconds=120)
        unfinished = in_hand(home)
        assert unfinished, "all pictures were made before anything was killed"
        assert "script" in done

        with Stack(home.path, settings=SETTINGS, gateway_port=0) as stack:
            assert stack.url == url
            async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
                person = Person(http, person.session, person.token)
                await assert_all_is_well(stack, person, job_id, receiver)
                after = finished(await person.steps(job_id))
            calls = engine_calls(stack)

    assert {key: after[key] for key in done} == done
    assert len(calls) >= len(unfinished)


@contextlib.contextmanager
def first_life(folder: Path) -> Iterator[Home]:
    """`fenta up`, which ends with SIGKILL to the supervisor and to everything that it has started."""
    environment = {**os.environ, **SETTINGS, "FENTA_HOME": str(folder)}
    command = [sys.executable, "-m", "fenta.embedded.cli", "up"]
    with (folder / "up.log").open("wb") as log:
        process = psutil.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield Home(folder)
    finally:
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=30)


async def address(home: Home) -> str | None:
    """Where the API answers, once it does."""
    port = home.kept_ports().get("gateway")
    if port is None:
        return None
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            status = (await http.get(f"http://127.0.0.1:{home.kept_ports()['gateway.admin']}/readyz")).status_code
    except httpx.HTTPError:
        return None
    return url if status == 200 else None


def finished(steps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {key: step["completed_at"] for key, step in steps.items() if step["completed_at"]}


def in_hand(home: Home) -> list[str]:
    """The tasks that local engines have accepted and not finished."""
    return [path.parent.name for path in tasks(home) if not path.with_name("outcome.json").exists()]


async def midway(home: Home, person: Person, job_id: str) -> dict[str, Any] | None:
    """The steps that are done, once a picture is finished and another one is being made."""
    done = finished(await person.steps(job_id))
    return done if one_is_made(home) else None


def one_is_made(home: Home) -> bool:
    pictures = [path for path in tasks(home) if '"image"' in path.read_text()]
    outcomes = [path.with_name("outcome.json").exists() for path in pictures]
    return any(outcomes) and not all(outcomes)


def tasks(home: Home) -> list[Path]:
    return list((home.path / "engines" / "tasks").glob("*/request.json"))
