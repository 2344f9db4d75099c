"""The local house behaves like an outside provider: it accepts on disk, survives its death, forgets in time."""

import asyncio
import os
import signal
import sys
import wave
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from fenta.generation.providers import InvalidRequest, ProviderFailure, TaskUnknown, error_of
from fenta.generation.providers.fake import Behaviour, FakeProvider
from fenta.generation.providers.ledger import Call, Ledger
from fenta.generation.providers.local import LocalHouse
from fenta.generation.providers.products import MadeFile, Progress
from fenta.generation.providers.requests import ImageRequest, MusicRequest, Request, ScriptRequest, SpeechRequest
from fenta.generation.providers.workshop import Workshop
from tests.conftest import until

SMALL = ImageRequest(prompt="stars", width=64, height=96)


async def ended(house: LocalHouse | FakeProvider, task_id: str) -> Progress:
    async def looked() -> Progress | None:
        progress = await house.poll(task_id)
        return progress if progress.ended else None

    progress: Progress = await until(looked)
    return progress


@pytest.mark.parametrize(
    "request_",
    [ScriptRequest(topic="Stars"), SpeechRequest(text="Hello"), SMALL, MusicRequest(seconds=5)],
    ids=lambda request: request.kind,
)
async def test_what_is_submitted_can_be_fetched_and_inspected(
    house: LocalHouse, workshop: Workshop, request_: Request, tmp_path: Path
) -> None:
    task_id = await house.submit(request_, key="step_1")
    assert (await ended(house, task_id)).state == "done"
    product = await house.fetch(task_id, tmp_path / "out")
    assert product.files or product.document
    for file in product.files:
        assert await workshop.inspect(tmp_path / "out", file) == file


async def test_each_accepted_call_is_one_line_of_the_ledger(house: LocalHouse) -> None:
    first = await house.submit(SMALL, key="step_1")
    second = await house.submit(SMALL, key="step_2")
    assert first != second
    assert [(call.task_id, call.key) for call in house.ledger.calls()] == [(first, "step_1"), (second, "step_2")]
    assert await house.find("step_1") == first
    assert await house.find("step_3") is None


async def test_a_call_that_another_process_has_made_already_is_not_accepted_again(
    house: LocalHouse, tmp_path: Path, workshop: Workshop
) -> None:
    async with LocalHouse(tmp_path / "engines", workshop) as zombie:
        assert await zombie.find("step_1") is None
        first = await house.submit(SMALL, key="step_1")
        assert await zombie.submit(SMALL, key="step_1") == first
        other_model = await zombie.submit(SMALL.model_copy(update={"model": "another"}), key="step_1")
    assert [call.task_id for call in house.ledger.calls()] == [first, other_model]
    assert first != other_model


async def test_after_a_restart_accepted_work_is_done_and_known_by_its_key(tmp_path: Path, workshop: Workshop) -> None:
    async with LocalHouse(tmp_path, workshop) as house:
        task_id = await house.submit(SMALL, key="step_1")
    async with LocalHouse(tmp_path, workshop) as reborn:
        assert await reborn.find("step_1") == task_id
        assert (await ended(reborn, task_id)).state == "done"
        assert len(reborn.ledger.calls()) == 1


async def test_a_torn_line_does_not_swallow_the_next(house: LocalHouse, tmp_path: Path) -> None:
    await house.submit(SMALL, key="step_1")
    ledger = tmp_path / "engines" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'{"task_id": "local_t')
    task_id = await house.submit(SMALL, key="step_2")
    assert await house.find("step_2") == task_id
    assert len(house.ledger.calls()) == 2


FROZEN = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from fenta.generation.providers.ledger import Call, Ledger

os.fsync = lambda file: os.kill(os.getpid(), signal.SIGSTOP)
Ledger(Path(sys.argv[1])).append(
    Call(task_id="local_frozen", key="step_1", capability="image", model="m", accepted_at=datetime.now(UTC))
)
"""


async def test_a_process_that_stands_still_while_it_writes_holds_nobody_up(house: LocalHouse, tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir(exist_ok=True)
    frozen = psutil.Popen([sys.executable, "-c", FROZEN, str(tmp_path / "engines" / "ledger.jsonl")])
    try:
        await until(lambda: is_frozen(frozen))

        task_id = await house.submit(SMALL, key="step_2")

        assert [call.task_id for call in house.ledger.calls()] == ["local_frozen", task_id]
    finally:
        frozen.kill()
        frozen.wait()


async def is_frozen(process: psutil.Popen) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


async def test_of_calls_at_once_from_several_processes_one_counts(tmp_path: Path) -> None:
    """Each ledger has a memory of its own, as in a process of its own."""
    ledgers = [Ledger(tmp_path / "ledger.jsonl") for _ in range(8)]
    calls = [
        Call(task_id=f"local_{number}", key="step_1", capability="image", model="m", accepted_at=datetime.now(UTC))
        for number in range(8)
    ]
    answers = await asyncio.gather(
        *(asyncio.to_thread(ledger.append, call) for ledger, call in zip(ledgers, calls, strict=True))
    )
    assert len(set(answers)) == 1
    assert {tuple(call.task_id for call in ledger.calls()) for ledger in ledgers} == {(answers[0],)}
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 8


async def test_a_request_that_is_wrong_fails_with_its_own_class(house: LocalHouse, tmp_path: Path) -> None:
    task_id = await house.submit(SpeechRequest(text="…"), key="step_1")
    progress = await ended(house, task_id)
    assert progress.state == "failed"
    assert progress.error is not None
    assert isinstance(error_of(progress.error), InvalidRequest)
    with pytest.raises(InvalidRequest):
        await house.fetch(task_id, tmp_path / "out")


async def test_a_helper_that_is_killed_is_replaced(house: LocalHouse, workshop: Workshop) -> None:
    await ended(house, await house.submit(SMALL, key="step_1"))
    (process_id,) = workshop.process_ids()
    task_id = await house.submit(MusicRequest(seconds=60), key="step_2")
    os.kill(process_id, signal.SIGKILL)
    assert (await ended(house, task_id)).state == "done"


async def test_a_cancelled_task_stays_so_and_its_helper_is_stopped(house: LocalHouse) -> None:
    task_id = await house.submit(MusicRequest(seconds=120), key="step_1")
    await house.cancel(task_id)
    assert (await house.poll(task_id)).state == "cancelled"
    await house.cancel("local_unknown")


async def test_old_results_are_forgotten_and_the_ledger_is_not(tmp_path: Path, workshop: Workshop) -> None:
    async with LocalHouse(tmp_path, workshop) as house:
        task_id = await house.submit(SMALL, key="step_1")
        await ended(house, task_id)
    async with LocalHouse(tmp_path, workshop, keep_seconds=-1) as later:
        with pytest.raises(TaskUnknown):
            await later.poll(task_id)
        assert len(later.ledger.calls()) == 1


@pytest.mark.parametrize("task_id", ["", "..", "local_/../../etc", "local_missing"])
async def test_a_strange_task_id_is_unknown(house: LocalHouse, task_id: str) -> None:
    with pytest.raises(TaskUnknown):
        await house.poll(task_id)


async def test_helpers_end_with_the_workshop(workshop: Workshop, tmp_path: Path) -> None:
    async with Workshop(helpers=2) as other:
        await other.make(ScriptRequest(topic="Stars"), tmp_path)
        (process_id,) = other.process_ids()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
    assert other.process_ids() == []


async def test_an_idle_helper_rests_and_comes_back(tmp_path: Path) -> None:
    async with Workshop(helpers=1, idle_seconds=0) as workshop:
        await workshop.make(ScriptRequest(topic="Stars"), tmp_path)

        async def resting() -> bool:
            return not workshop.process_ids()

        await until(resting)
        assert (await workshop.make(ScriptRequest(topic="Stars"), tmp_path)).document


@pytest.mark.parametrize("request_", [SMALL, SpeechRequest(text="Hello")], ids=lambda request: request.kind)
async def test_a_file_that_is_cut_short_is_found(workshop: Workshop, request_: Request, tmp_path: Path) -> None:
    fake = FakeProvider(plan=lambda _: Behaviour(corrupt=True))
    task_id = await fake.submit(request_, key="step_1")
    product = await fake.fetch(task_id, tmp_path)
    for file in product.files:
        with pytest.raises(ProviderFailure, match="file"):
            await workshop.inspect(tmp_path, file)


async def test_a_picture_without_its_end_is_found_although_it_can_be_decoded(
    workshop: Workshop, tmp_path: Path
) -> None:
    (file,) = (await workshop.make(SMALL, tmp_path)).files
    path = tmp_path / file.name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ProviderFailure) as found:
        await workshop.inspect(tmp_path, file)
    assert found.value.code == "file_corrupt"


async def test_files_that_are_something_else_are_found(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>Too many requests</html>")
    with wave.open(str(tmp_path / "empty.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
    for file in (
        MadeFile(name="page.jpg", kind="image", media_type="image/jpeg"),
        MadeFile(name="empty.wav", kind="audio", media_type="audio/wav"),
    ):
        with pytest.raises(ProviderFailure) as found:
            await workshop.inspect(tmp_path, file)
        assert found.value.code == "file_corrupt"


def test_the_service_loads_none_of_the_engines_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys, fenta.generation.main; print([m for m in ('cv2', 'numpy', 'espeakng_loader') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
