"""Segments as tasks of their own: any render process makes them, and the film is the same whoever did."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from fenta.chassis.errors import Unavailable
from fenta.contracts.events import Event, RenderCompleted, RenderRequested, StepFailed, UsageRecorded
from fenta.contracts.timeline import AssetSource, Motion, Timeline, VideoClip, VideoTrack
from fenta.render import engine, materials, service, sharing, studios
from fenta.render.crew import Crew, Cut
from fenta.render.errors import RenderInterrupted, RenderRefused
from fenta.render.memory import Memory
from tests.conftest import until
from tests.render.media import SMALL, Shelf
from tests.render.service_parts import Parts, Replica

TINY = SMALL.model_copy(update={"width": 96, "height": 170})


@pytest.fixture
async def film(parts: Parts, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> RenderRequested:
    """A request for a film of several segments, on a canvas of stamps' size."""
    for module in (service, studios, materials):
        monkeypatch.setattr(module, "canvases_of", lambda aspects, resolution: (TINY,), raising=True)
    monkeypatch.setattr("fenta.render.segment_tasks.canvases_of", lambda aspects, resolution: (TINY,))
    monkeypatch.setattr(sharing, "LOOK_SECONDS", 0.05)
    document = silent_film(shelf)
    await parts.put_files(shelf.files)
    return parts.request("Output.Render", {"timeline": await parts.put("timeline", document)})


def silent_film(shelf: Shelf) -> Timeline:
    """Three pictures, one segment each."""
    pictures = [shelf.picture(number).asset for number in range(3)]
    sources = [AssetSource(**asset.model_dump(), media="image") for asset in pictures]
    clips = [
        VideoClip(
            id=f"c{number}", start_ms=4000 * number, duration_ms=4000, source=source, motion=Motion(kind="push_in")
        )
        for number, source in enumerate(sources)
    ]
    return Timeline(duration_ms=12_000, canvases=[TINY], tracks=[VideoTrack(id="v", clips=clips)])


def replica(parts: Parts, name: str) -> Replica:
    """One more render process, with a folder of its own."""
    return Replica(parts.database, parts.storage, parts.folder / name, partial(engine.render, workers=2))


async def answers(parts: Parts) -> Sequence[Event]:
    async def some() -> Sequence[Event]:
        return await parts.events()

    found: Sequence[Event] = await until(some, seconds=60)
    return found


async def rows(parts: Parts, query: str) -> list[Any]:
    async with parts.database.transaction() as session:
        return list((await session.execute(text(query))).all())


@asynccontextmanager
async def working(*replicas: Replica, **slots: int) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for number, one in enumerate(replicas):
            await stack.enter_async_context(one.working(str(number), **slots))
        yield


async def rendered(parts: Parts, film: RenderRequested, *replicas: Replica) -> RenderCompleted:
    async with working(*replicas):
        await parts.deliver(film)
        made = (await answers(parts))[0]
    assert isinstance(made, RenderCompleted), made
    return made


async def forget(parts: Parts) -> None:
    for table in ("segment", "render", "outbox"):
        await rows(parts, f"DELETE FROM {table} RETURNING 1")  # noqa: S608


async def test_two_processes_make_the_bytes_that_one_makes(
    parts: Parts, film: RenderRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: list[tuple[str, bool]] = []
    make = Crew.make

    async def noted(crew: Crew, cut: Any, on_frames: Any) -> Any:
        makers.append((cut.key, "guest" in str(crew.work)))
        return await make(crew, cut, on_frames)

    monkeypatch.setattr(Crew, "make", noted)
    one = replica(parts, "a")
    alone = await rendered(parts, film, one)
    told = [news.progress for news in one.told]
    assert told == sorted(told)
    segments = len(makers)
    assert segments >= 3
    assert {guest for _, guest in makers} == {False}
    await forget(parts)
    makers.clear()
    # The first takes the film and has no hands for its segments; the second makes them all.
    first, second = replica(parts, "b"), replica(parts, "c")
    async with first.working("0", segments=0), second.working("1", media=0):
        await parts.deliver(film)
        shared = (await answers(parts))[0]
    assert isinstance(shared, RenderCompleted)
    assert len({key for key, _ in makers}) == segments
    assert {guest for _, guest in makers} == {True}
    assert [asset.sha256 for asset in shared.assets] == [asset.sha256 for asset in alone.assets]
    assert await rows(parts, "SELECT 1 FROM task") == await rows(parts, "SELECT 1 FROM piece") == []


async def test_a_killed_worker_costs_its_segment(parts: Parts, film: RenderRequested) -> None:
    """One of its processes is killed while it encodes; the rest of the film is not made again."""
    one = replica(parts, "a")
    async with working(one):
        await parts.deliver(film)

        async def first_is_kept() -> bool:
            return bool(await rows(parts, "SELECT 1 FROM segment"))

        await until(first_is_kept, seconds=60)
        kept = {row.key for row in await rows(parts, "SELECT key FROM segment")}
        worker = next(child for child in psutil.Process().children() if "fenta.render.worker" in child.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
        made = (await answers(parts))[0]
    assert isinstance(made, RenderCompleted)
    assert made.checks.passed
    assert kept <= {row.key for row in await rows(parts, "SELECT key FROM segment")}


async def test_who_takes_the_film_over_finds_what_was_made(parts: Parts, film: RenderRequested) -> None:
    """The process that has the film is stopped in the middle; its successor pays for no frame twice."""
    async with working(replica(parts, "a")):
        await parts.deliver(film)

        async def first_is_kept() -> bool:
            return bool(await rows(parts, "SELECT 1 FROM segment"))

        await until(first_is_kept, seconds=60)
    kept = {row.key: row.used_at for row in await rows(parts, "SELECT key, sha256, used_at FROM segment")}
    async with working(replica(parts, "b")):
        made, used = await until(partial(both, parts), seconds=60)
    assert isinstance(made, RenderCompleted)
    assert isinstance(used, UsageRecorded)
    assert made.cached_ms == 0
    assert kept.keys() <= {row.key for row in await rows(parts, "SELECT key FROM segment")}


async def both(parts: Parts) -> Sequence[Event]:
    found = await parts.events()
    return found if len(found) >= 2 else []


async def test_a_stop_ends_all_segments_wherever_they_are(parts: Parts, film: RenderRequested) -> None:
    first, second = replica(parts, "a"), replica(parts, "b")
    async with first.working("0", segments=0), second.working("1", media=0):
        await parts.deliver(film)

        async def encoding() -> bool:
            return any("ffmpeg" in child.name() for child in psutil.Process().children(recursive=True))

        await until(encoding, seconds=60)
        await parts.deliver(parts.stop(film.step_id))
        (failed,) = await answers(parts)
        assert isinstance(failed, StepFailed)
        assert failed.error.class_ == "cancelled"

        async def nothing_left() -> bool:
            return not await rows(parts, "SELECT 1 FROM task")

        await until(nothing_left)
        assert not await encoding()
    assert await rows(parts, "SELECT 1 FROM piece") == []


async def test_a_machine_without_the_film_s_card_leaves_its_segments_to_others(
    parts: Parts, film: RenderRequested
) -> None:
    async with studios.open_studios(parts.storage, parts.folder, workers=1) as ours:
        cut = Cut(0, 0, 30, "key", "segment-000000.mp4", "h264_amf")
        with pytest.raises(Unavailable, match="h264_amf"):
            async with ours.crew(film, cut):
                pass
        async with ours.crew(film, replace(cut, encoder="libx264")) as crew:
            assert crew.file(cut).parent.is_dir()
    assert [path for path in parts.folder.rglob("*") if path.is_file()] == []


class Failing:
    """A crew's way to make a segment that fails first, and then does what it should."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.made = list(errors), Crew.make
        self.together: list[int] = []
        self.now = 0

    async def __call__(self, crew: Crew, cut: Any, on_frames: Any) -> Any:
        self.now += 1
        self.together.append(self.now)
        try:
            await asyncio.sleep(0)
            if self.errors:
                raise self.errors.pop(0)
            return await self.made(crew, cut, on_frames)
        finally:
            self.now -= 1


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> Failing:
    instead = Failing(*errors)

    async def make(crew: Crew, cut: Any, on_frames: Any) -> Any:
        return await instead(crew, cut, on_frames)

    monkeypatch.setattr(Crew, "make", make)
    return instead


async def test_a_segment_that_fails_for_a_moment_is_made_again_by_itself(
    parts: Parts, film: RenderRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, RenderInterrupted("encoder_failed", "ffmpeg ended early."))
    made = await rendered(parts, film, replica(parts, "a"))
    assert made.checks.passed
    (row,) = await rows(parts, "SELECT tries FROM render")
    assert [one["code"] for one in row.tries] == ["encoder_failed"]


async def test_a_segment_that_cannot_be_made_fails_the_film_in_its_own_words(
    parts: Parts, film: RenderRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, RenderRefused("source_invalid", "The picture of clip v_s1 cannot be read."))
    async with working(replica(parts, "a")):
        await parts.deliver(film)
        (failed,) = await answers(parts)

        async def nothing_left() -> bool:
            return not await rows(parts, "SELECT 1 FROM task UNION ALL SELECT 1 FROM piece")

        await until(nothing_left)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", "source_invalid")
    assert "v_s1" in failed.error.message
    assert failed.error.step_key == film.step_key


async def test_what_ran_out_of_memory_is_made_alone_and_then_refused(
    parts: Parts, film: RenderRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    starved = [RenderInterrupted("out_of_memory", "The render ended for want of memory.") for _ in range(20)]
    failing(monkeypatch, *starved)
    asked: list[bool] = []
    room = Memory.room

    def noted(memory: Memory, size_bytes: int, *, alone: bool = False) -> Any:
        asked.append(alone)
        return room(memory, size_bytes, alone=alone)

    monkeypatch.setattr(Memory, "room", noted)
    async with working(replica(parts, "a")):
        await parts.deliver(film)
        (failed,) = await answers(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", "out_of_memory")
    assert failed.error.hint
    assert asked[0] is False
    assert True in asked


async def test_a_segment_that_the_store_has_lost_is_made_again(
    parts: Parts, film: RenderRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its end and the join: an object is deleted that only another process had."""
    first, second = replica(parts, "a"), replica(parts, "b")
    lost: list[str] = []
    fetch = type(parts.storage).fetch_cached

    async def losing(storage: Any, name: str, *more: Any) -> Any:
        if not lost:
            lost.append(name)
            await storage.drop_cached(name)
        return await fetch(storage, name, *more)

    monkeypatch.setattr(type(parts.storage), "fetch_cached", losing)
    async with first.working("0", segments=0), second.working("1", media=0):
        await parts.deliver(film)
        made = (await answers(parts))[0]
    assert lost
    assert isinstance(made, RenderCompleted)
    assert made.checks.passed
