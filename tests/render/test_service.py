"""Render's use cases on a real Postgres and a real object store: twice, at once, out of order, and stopped midway."""

import asyncio
import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fenta.chassis.errors import TransientError, Unavailable
from fenta.chassis.storage import Storage
from fenta.contracts import documents
from fenta.contracts.events import AssetGenerated, Event, RenderCompleted, RenderRequested, StepFailed, UsageRecorded
from fenta.contracts.ids import asset_id, usage_id
from fenta.contracts.timeline import Timeline
from fenta.contracts.values import Value
from fenta.render import engine as real
from fenta.render.errors import CheckFailed, Fault, RenderInterrupted, RenderRefused, Sight
from fenta.render.progress import Reporter
from fenta.render.schemas import view_of
from fenta.render.timeline import captions, overlays, pictures
from tests.conftest import until
from tests.render.media import Shelf, bindings, timeline
from tests.render.service_parts import WARNING, Parts, short_inputs


async def film_request(parts: Parts, shelf: Shelf, **more: Any) -> RenderRequested:
    document = timeline(shelf, ("One two three.", "Four five."))
    await parts.put_files(shelf.files)
    return parts.request("Output.Render", {"timeline": await parts.put("timeline", document)}, **more)


async def answered(parts: Parts, count: int = 1) -> list[Event]:
    async def enough() -> list[Event]:
        found = await parts.events()
        return found if len(found) >= count else []

    found: list[Event] = await until(enough)
    return found


async def tasks_left(parts: Parts) -> int:
    async with parts.database.transaction() as session:
        return int(await session.scalar(text("SELECT count(*) FROM task")) or 0)


async def test_a_timeline_is_cut_from_its_parts(parts: Parts, shelf: Shelf) -> None:
    inputs = await short_inputs(parts, bindings(shelf))
    request = parts.request("Edit.Timeline", inputs, key="timeline", params={"target_seconds": 12})
    async with parts.working():
        await parts.deliver(request)
        (made,) = await answered(parts)
    assert isinstance(made, AssetGenerated)
    value = made.outputs["timeline"]
    assert isinstance(value, Value)
    assert value.asset_id == asset_id(request.step_id, "timeline")
    data = await parts.storage.get(parts.org_id, value.sha256)
    document: Timeline = documents.decode("timeline", data)
    assert [clip.scene for clip in pictures(document)] == ["s1", "s2", "s3"]
    assert overlays(document)[0].text == "A title of one's own"
    assert 10_000 <= document.duration_ms <= 12_000
    assert set(made.assets[0].lineage.inputs) >= {entry.value.asset_id for entry in inputs["visuals"]}  # type: ignore[union-attr]
    assert made.usage == []


async def test_a_timeline_is_cut_with_the_captions_of_a_file(parts: Parts, shelf: Shelf) -> None:
    data = b"1\n00:00:00,500 --> 00:00:01,000\nWritten by hand\n"
    sha256 = await parts.storage.put(parts.org_id, data, media_type="application/x-subrip")
    inputs = await short_inputs(parts, bindings(shelf))
    inputs |= {"subtitles": Value(type="srt", asset_id="asset_srt", sha256=sha256)}
    async with parts.working():
        await parts.deliver(parts.request("Edit.Timeline", inputs, key="timeline"))
        (made,) = await answered(parts)
    assert isinstance(made, AssetGenerated)
    document = documents.decode("timeline", await parts.storage.get(parts.org_id, made.assets[0].sha256))
    track = captions(document)
    assert track
    assert [(clip.start_ms, clip.duration_ms, clip.text) for clip in track.clips] == [(500, 500, "Written by hand")]
    assert track.source
    assert track.source.sha256 == sha256


async def test_a_bad_subtitle_file_is_named_with_its_line(parts: Parts, shelf: Shelf) -> None:
    sha256 = await parts.storage.put(parts.org_id, b"1\nnot a time\n", media_type="application/x-subrip")
    inputs = await short_inputs(parts, bindings(shelf))
    inputs |= {"subtitles": Value(type="srt", asset_id="asset_srt", sha256=sha256)}
    async with parts.working():
        await parts.deliver(parts.request("Edit.Timeline", inputs, key="timeline"))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert failed.error.code == "subtitles_invalid"
    assert failed.error.message.startswith("Line 2 of the subtitles")


async def test_a_film_is_delivered_and_billed_once(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf)
    async with parts.working():
        await parts.deliver(request)
        made, used = await answered(parts, 2)
    assert isinstance(made, RenderCompleted)
    assert isinstance(used, UsageRecorded)
    assert set(made.outputs) == {"video", "renders", "thumbnail", "srt", "vtt"}
    seconds = made.encoded_ms / 1000
    assert used.quantity == -(-seconds * 1.5 // 1)
    assert used.usage_id == usage_id(request.step_id, "render_seconds") == made.usage[0].usage_id
    for asset in made.assets:
        data = await parts.storage.get(parts.org_id, asset.sha256)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (asset.sha256, asset.size_bytes)
    assert made.renders[0].video_asset_id == made.assets[0].asset_id
    assert made.checks.passed
    assert [(warning.code, warning.message) for warning in made.warnings] == [(WARNING.code, WARNING.message)]
    [shown] = await parts.renders.list(parts.org_id, job_id=None, status=None, after=None, most=10)
    assert view_of(shown).warnings == [{"code": WARNING.code, "message": WARNING.message}]
    assert list(parts.folder.iterdir()) == []
    assert await tasks_left(parts) == 0


async def test_a_lower_resolution_costs_less(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf, params={"resolution": "720p", "sidecars": [], "thumbnail": False})
    async with parts.working():
        await parts.deliver(request)
        made, used = await answered(parts, 2)
    assert isinstance(made, RenderCompleted)
    assert isinstance(used, UsageRecorded)
    assert (made.renders[0].width, made.renders[0].height) == (720, 1280)
    assert used.quantity == -(-made.encoded_ms // 1000)
    assert set(made.outputs) == {"video", "renders"}


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_request_that_comes_twice_is_answered_once(parts: Parts, shelf: Shelf, at_once: bool) -> None:
    request = await film_request(parts, shelf)
    if at_once:
        await asyncio.gather(*(parts.deliver(request) for _ in range(4)))
    async with parts.working():
        await parts.deliver(request, request)
        await answered(parts, 2)
        await parts.deliver(request)
    assert parts.engine.calls == 1
    assert len(await parts.events()) == 2
    assert await tasks_left(parts) == 0


@pytest.mark.parametrize("code", ["black", "frozen", "silent", "captions_missing", "size_wrong"])
async def test_a_failed_check_is_told_and_not_billed(parts: Parts, shelf: Shelf, code: str) -> None:
    parts.engine.errors = [CheckFailed([Fault(code, "It is not what was asked for.")])]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("internal", code)
    assert failed.usage == []
    assert list(parts.folder.iterdir()) == []


async def test_what_can_be_seen_of_a_failed_check_is_kept_and_named(parts: Parts, shelf: Shelf, tmp_path: Path) -> None:
    picture = tmp_path / "black-9x16.jpg"
    picture.write_bytes(b"a dark picture")
    faults = [Fault("black", "The film is black for 900 ms.", frame=45)]
    parts.engine.errors = [CheckFailed(faults, [Sight("black", "9:16", 1500, picture)])]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    (evidence,) = failed.error.evidence
    assert (evidence.code, evidence.aspect, evidence.at_ms, evidence.media_type) == (
        "black",
        "9:16",
        1500,
        "image/jpeg",
    )
    assert await parts.storage.get(parts.org_id, evidence.sha256) == b"a dark picture"
    assert parts.engine.calls == 1


@pytest.mark.parametrize("again", [False, True])
async def test_what_may_have_been_lost_on_the_way_is_made_once_more(parts: Parts, shelf: Shelf, again: bool) -> None:
    lost = [CheckFailed([Fault("frames_missing", "The film has 149 frames instead of 150.")]) for _ in range(3)]
    parts.engine.errors = list(lost) if again else lost[:1]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        answer = (await answered(parts))[0]
    assert parts.engine.calls == 2
    if again:
        assert isinstance(answer, StepFailed)
        assert (answer.error.class_, answer.error.code) == ("internal", "frames_missing")
        assert [attempt.code for attempt in answer.tries] == ["frames_missing", "frames_missing"]
    else:
        assert isinstance(answer, RenderCompleted)


async def test_a_passing_fault_is_tried_again_and_listed(parts: Parts, shelf: Shelf) -> None:
    parts.engine.errors = [RenderInterrupted("encoder_failed", "ffmpeg ended early."), RenderRefused("black", "Black.")]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert [attempt.code for attempt in failed.tries] == ["encoder_failed", "black"]
    assert parts.engine.calls == 2


async def test_a_disk_that_is_full_for_the_service_itself_has_its_name(parts: Parts, shelf: Shelf) -> None:
    fetching = TransientError("object storage")
    fetching.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    parts.engine.errors = [fetching, OSError(errno.EDQUOT, "Disk quota exceeded"), RenderRefused("black", "Black.")]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert [attempt.code for attempt in failed.tries] == ["disk_full", "disk_full", "black"]
    assert list(parts.folder.iterdir()) == []


class TheShakyStorage:
    """Copies nothing: the first file cannot be had, the others take a while and note whether their folder is there."""

    def __init__(self, storage: Storage) -> None:
        self.get = storage.get
        self.calls = 0
        self.folders: list[bool] = []

    async def fetch(self, org_id: str, sha256: str, path: Path) -> None:
        self.calls += 1
        if self.calls == 1:
            raise RenderRefused("black", "Black.")
        for _ in range(20):
            await asyncio.sleep(0)
        self.folders.append(path.parent.exists())


async def test_no_file_is_fetched_into_a_folder_that_is_given_up(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf)
    storage = TheShakyStorage(parts.storage)
    parts.renders._storage = storage  # type: ignore[assignment]
    async with parts.working():
        await parts.deliver(request)
        await answered(parts)
    assert storage.calls > 1
    assert storage.folders == [True] * (storage.calls - 1)
    assert list(parts.folder.iterdir()) == []


async def test_a_film_that_takes_too_long_is_ended(parts: Parts, shelf: Shelf) -> None:
    parts.engine.gate.clear()
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf, timeout_seconds=1))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("timeout", "timeout")
    # On a slow machine the second may be over before the engine begins.
    assert parts.engine.interrupted == parts.engine.calls


async def test_a_stop_ends_the_work_and_is_answered(parts: Parts, shelf: Shelf) -> None:
    parts.engine.gate.clear()
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        await parts.engine.begun.wait()
        await parts.deliver(parts.stop(), parts.stop())
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert failed.error.class_ == "cancelled"
    assert parts.engine.interrupted == 1
    assert list(parts.folder.iterdir()) == []
    assert await tasks_left(parts) == 0


async def test_a_stop_that_overtakes_its_request_holds(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf)
    await parts.deliver(parts.stop())
    await parts.deliver(request, request)
    (failed,) = await parts.events()
    assert isinstance(failed, StepFailed)
    assert failed.error.class_ == "cancelled"
    assert await tasks_left(parts) == 0


async def test_a_stop_and_its_request_at_once_start_nothing(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf)
    await asyncio.gather(parts.deliver(request), parts.deliver(parts.stop()))
    async with parts.working():
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert parts.engine.calls == 0


async def test_a_stop_of_one_step_leaves_the_others(parts: Parts, shelf: Shelf) -> None:
    first = await film_request(parts, shelf)
    second = await film_request(parts, shelf, key="again")
    await parts.deliver(parts.stop(first.step_id), first, second)
    async with parts.working():
        found = await answered(parts, 3)
    assert {type(event) for event in found} == {StepFailed, RenderCompleted, UsageRecorded}


@pytest.mark.parametrize(
    ("node_type", "inputs", "params", "code"),
    [
        ("Edit.Timeline", {}, {}, "input_missing"),
        ("Edit.Timeline", {}, {"no_such": 1}, "input_invalid"),
        ("Output.Render", {}, {}, "input_missing"),
        ("Output.Render", {"timeline": Value(type="timeline", sha256="0" * 64)}, {}, "asset_not_found"),
        ("Output.Render", {"timeline": Value(type="timeline", sha256="0", value={})}, {}, "input_invalid"),
    ],
)
async def test_bad_input_is_answered_at_once(
    parts: Parts, node_type: str, inputs: dict[str, Any], params: dict[str, Any], code: str
) -> None:
    async with parts.working():
        await parts.deliver(parts.request(node_type, inputs, params=params))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", code)
    assert len(failed.tries) == 1


async def test_a_broken_timeline_is_answered_with_the_place_of_each_mistake(parts: Parts) -> None:
    broken = {"duration_ms": 0, "canvases": [], "tracks": [{"kind": "video", "id": "v", "clips": [{"id": "a"}]}]}
    async with parts.working():
        inputs = {"timeline": Value(type="timeline", sha256="0" * 64, value=broken)}
        await parts.deliver(parts.request("Output.Render", inputs))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    places = {mistake.pointer for mistake in failed.error.errors or ()}
    assert places >= {"#/duration_ms", "#/canvases", "#/tracks/0/clips/0/start_ms", "#/tracks/0/clips/0/source"}


async def test_each_aspect_is_a_film_with_its_thumbnail_and_is_paid_for(parts: Parts, shelf: Shelf) -> None:
    request = await film_request(parts, shelf, params={"aspects": ["16:9", "1:1"], "resolution": "720p"})
    async with parts.working():
        await parts.deliver(request)
        made, used = await answered(parts, 2)
    assert isinstance(made, RenderCompleted)
    assert isinstance(used, UsageRecorded)
    assert [(film.aspect, film.width, film.height) for film in made.renders] == [("16:9", 1280, 720), ("1:1", 720, 720)]
    films, single = made.outputs["renders"], made.outputs["video"]
    assert isinstance(films, list)
    assert isinstance(single, Value)
    assert [film.key for film in films] == ["16:9", "1:1"]
    assert films[0].value == single
    assert [film.video_asset_id for film in made.renders] == [film.value.asset_id for film in films]
    assert len({film.thumbnail_asset_id for film in made.renders}) == 2
    assert {asset.asset_id for asset in made.assets} == {asset_id(request.step_id, port, film) for port, film in FILES}
    assert made.assets[0].asset_id == single.asset_id
    assert (made.encoded_ms, used.quantity, used.detail["aspects"]) == (10_000, 10, ["16:9", "1:1"])


async def test_a_film_costs_what_nobody_has_paid_for(parts: Parts, shelf: Shelf) -> None:
    """Three parts of 50 frames each; two of them were in a film before."""
    parts.engine.segments = ("aa", "bb")
    first, second = await film_request(parts, shelf), await film_request(parts, shelf, key="second")
    third = await film_request(parts, shelf, key="third")
    async with parts.working():
        await parts.deliver(first)
        await answered(parts, 2)
        parts.engine.segments = ("aa", "bb", "cc")
        await parts.deliver(second)
        await answered(parts, 4)
        await parts.deliver(third)
        events = await answered(parts, 5)
    films = {event.step_id: event for event in events if isinstance(event, RenderCompleted)}
    used = {event.step_id: event.quantity for event in events if isinstance(event, UsageRecorded)}
    assert used == {first.step_id: 8, second.step_id: 3}
    told = [(films[one.step_id].encoded_ms, films[one.step_id].cached_ms) for one in (first, second, third)]
    assert told == [(5000, 0), (1666, 3333), (0, 5000)]
    assert films[third.step_id].usage == []


FILES = [("video", 0), ("thumbnail", 0), ("video", 1), ("thumbnail", 1), ("srt", 0), ("vtt", 0)]


async def test_an_aspect_asked_for_twice_is_refused(parts: Parts, shelf: Shelf) -> None:
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf, params={"aspects": ["16:9", "16:9"]}))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", "input_invalid")


async def test_an_error_nobody_expected_tells_nothing_of_itself(parts: Parts, shelf: Shelf) -> None:
    parts.engine.errors = [RuntimeError("secret at /some/path")]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, "secret" in failed.error.message) == ("internal", False)


async def test_a_worker_that_lost_its_lease_writes_nothing(parts: Parts, shelf: Shelf) -> None:
    parts.engine.gate.clear()
    await parts.deliver(await film_request(parts, shelf))
    async with parts.working():
        await parts.engine.begun.wait()
        async with parts.database.transaction() as session:
            await session.execute(text("UPDATE task SET attempt = attempt + 1, owner = 'another'"))
            await session.execute(
                text("INSERT INTO worker VALUES ('another', 'another', now() + make_interval(mins => 5))")
            )
        parts.engine.gate.set()

        async def folder_is_empty() -> bool:
            return not list(parts.folder.iterdir())

        await until(folder_is_empty)
    assert await parts.events() == []
    assert await tasks_left(parts) == 1


async def test_a_stopped_process_gives_its_film_to_the_next(parts: Parts, shelf: Shelf) -> None:
    parts.engine.gate.clear()
    await parts.deliver(await film_request(parts, shelf))
    async with parts.working("0"):
        await parts.engine.begun.wait()
    parts.engine.gate.set()
    async with parts.working("1"):
        found = await answered(parts, 2)
    assert isinstance(found[0], RenderCompleted)
    assert parts.engine.calls == 2


async def test_a_store_that_is_away_for_long_ends_no_film(parts: Parts, shelf: Shelf) -> None:
    parts.engine.errors = [Unavailable("object storage", retry_after_seconds=0.01) for _ in range(15)]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        made, _ = await answered(parts, 2)
    assert isinstance(made, RenderCompleted)
    assert parts.engine.calls == 16


async def test_a_request_that_ends_its_workers_is_given_up(parts: Parts, shelf: Shelf) -> None:
    await parts.deliver(await film_request(parts, shelf))
    async with parts.database.transaction() as session:
        await session.execute(text("UPDATE task SET attempt = 10"))
    async with parts.working():
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert failed.error.code == "workers_died"
    assert parts.engine.calls == 0


async def test_progress_begins_at_nothing(parts: Parts, shelf: Shelf) -> None:
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        await answered(parts, 2)
    assert parts.progress[0].progress == 0


async def test_progress_is_told_once_a_second_and_rises(parts: Parts) -> None:
    now = [0.0]
    told: list[Any] = []
    reporter = Reporter(parts.request("Output.Render", {}), told.append, clock=lambda: now[0])
    reporter.begin()
    for frame in range(0, 101, 5):
        now[0] += 0.25
        reporter.frames(frame, 100)
    numbers = [event.progress for event in told]
    assert numbers == sorted(set(numbers))
    assert 5 <= len(numbers) <= 7
    assert told[2].eta_ms > told[-1].eta_ms


async def test_another_organisation_sees_nothing(parts: Parts, shelf: Shelf) -> None:
    await parts.deliver(await film_request(parts, shelf), parts.stop("step_x"))
    for table in ("render", "stop", "task"):
        for org_id, expected in ((parts.org_id, 1), ("org_other", 0)):
            async with parts.database.api_transaction(org_id) as session:
                count = await session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            assert (table, count) == (table, expected)


async def test_a_real_film_from_request_to_files(parts: Parts, shelf: Shelf) -> None:
    """The whole way with the real engine: parts to timeline, timeline to film."""
    inputs = await short_inputs(parts, bindings(shelf, ("One two three.", "Four five six.")))
    await parts.put_files(shelf.files)
    parts.renders._engine = real.render
    async with parts.working():
        await parts.deliver(parts.request("Edit.Timeline", inputs, key="timeline"))
        (cut,) = await answered(parts)
        assert isinstance(cut, AssetGenerated)
        params = {"resolution": "720p"}
        await parts.deliver(parts.request("Output.Render", {"timeline": cut.outputs["timeline"]}, params=params))
        made = (await answered(parts, 3))[1]
    assert isinstance(made, RenderCompleted)
    assert made.checks.passed
    assert made.renders[0].duration_ms == cut.assets[0].duration_ms


async def test_a_broken_source_fails_the_step(parts: Parts, shelf: Shelf) -> None:
    parts.engine.errors = [RenderRefused("source_invalid", "The picture of clip v_s1 cannot be read.")]
    async with parts.working():
        await parts.deliver(await film_request(parts, shelf))
        (failed,) = await answered(parts)
    assert isinstance(failed, StepFailed)
    assert (failed.error.class_, failed.error.code) == ("invalid", "source_invalid")
