"""A provider hands out a broken file: the job says so, nothing of it is kept, and nobody pays."""

from pathlib import Path
from typing import Any

import pytest

from fenta.embedded.supervisor import Stack
from fenta.generation.engines.inspection import inspected
from fenta.generation.providers import ProviderError
from fenta.generation.providers.products import MadeFile
from tests.conftest import until
from tests.support.invariants import assert_books_balance, engine_calls, nothing_is_held
from tests.support.people import Person
from tests.support.processes import frozen

# Each takes its engine long enough to be found at work.
PICTURE: dict[str, Any] = {
    "type": "Input.KAI.GenerateImage",
    "params": {"prompt": "a lake at dawn", "width": 1080, "height": 1920},
}
MUSIC: dict[str, Any] = {"type": "Music.Generate", "params": {"seconds": 40}}


@pytest.mark.parametrize(
    ("node", "output", "kind"), [(PICTURE, "image", "image"), (MUSIC, "music", "audio")], ids=["picture", "sound"]
)
async def test_a_corrupt_file_of_a_provider_fails_the_job(
    stack: Stack, person: Person, node: dict[str, Any], output: str, kind: Any
) -> None:
    known = set(tasks(stack))
    graph = {"nodes": [{"id": "part", **node}], "outputs": {"made": f"part.{output}"}}
    answer = await person.post("/jobs", {"workflow": graph})
    assert answer.status_code == 202, answer.text
    task = await until(lambda: begun(stack, known))

    # The engine works in a process of its own and goes on; its file is damaged before anybody fetches it.
    with frozen(stack, "generation"):
        assert not (task / "outcome.json").exists(), "the engine was done too soon for this test"
        file = await until(lambda: finished_file(task / "files", kind), seconds=60)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    job = await person.until_job(answer.json()["id"])
    assert job["status"] == "failed"
    assert (job["error"]["code"], job["error"]["class"]) == ("file_corrupt", "provider")
    assert job["error"]["hint"]
    assert job["outputs"] == []
    assert (await person.get("/assets", job_id=job["id"]))["data"] == []
    await until(lambda: nothing_is_held(person))
    kinds = {line["kind"] for line in (await person.get("/tokens/history", job_id=job["id"]))["data"]}
    assert kinds == {"hold", "release"}
    await assert_books_balance(stack)
    assert set(engine_calls(stack).values()) == {1}


def tasks(stack: Stack) -> list[Path]:
    """What local engines were asked for, a folder each."""
    return [path.parent for path in (stack.home.path / "engines" / "tasks").glob("*/request.json")]


async def begun(stack: Stack, known: set[Path]) -> Path | None:
    """A new one, once an engine works on it."""
    return next((task for task in tasks(stack) if task not in known and (task / "files").exists()), None)


async def finished_file(folder: Path, kind: Any) -> Path | None:
    """The one file that an engine makes, once it is whole."""
    media_type = {"image": "image/jpeg", "audio": "audio/wav"}[kind]
    for path in folder.glob("*"):
        try:
            inspected(path, MadeFile(name=path.name, kind=kind, media_type=media_type))
        except ProviderError:
            return None
        return path
    return None
