"""What happens to a render when something goes wrong: a named error, no child left, no file left."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from fenta.contracts.timeline import Canvas, CaptionTrack, OverlayClip, OverlayTrack
from fenta.render import programs
from fenta.render.engine import render
from fenta.render.errors import RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.templates.bindings import Visual
from tests.render.media import SMALL, Shelf, bindings, compiled, timeline

TINY = Canvas(aspect="9:16", width=108, height=192)


def children() -> list[psutil.Process]:
    """Workers and encoders of this process; other tests may have left a database running."""
    return [child for child in psutil.Process().children(recursive=True) if _renders(child)]


def _renders(process: psutil.Process) -> bool:
    try:
        ours = "ffmpeg" in process.name() or "fenta.render.worker" in process.cmdline()
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Watch:
    """Progress that can be waited for."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    def __call__(self, done: int, total: int) -> None:
        self.started.set()


def long_film(shelf: Shelf) -> Any:
    texts = [f"Scene {number} has a few words to say and they take their time." for number in range(4)]
    return timeline(shelf, texts)


async def test_a_cancel_ends_every_child_and_leaves_no_file(shelf: Shelf, tmp_path: Path) -> None:
    before, watch, folder = set(children()), Watch(), tmp_path / "out"
    sources = dict(shelf.files)
    document = long_film(shelf)
    task = asyncio.create_task(
        render(document, sources=shelf.files | sources, canvases=[SMALL], folder=folder, on_progress=watch)
    )
    await watch.started.wait()
    running = [process for process in children() if process not in before]
    assert any("ffmpeg" in process.name() for process in running)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(running, timeout=10)
    assert alive == []
    assert list(folder.iterdir()) == []


async def test_children_die_with_the_process_that_renders(shelf: Shelf, tmp_path: Path) -> None:
    """The service is killed with SIGKILL in the middle of an encode."""
    import json

    document = long_film(shelf)
    (tmp_path / "timeline.json").write_text(document.model_dump_json(by_alias=True))
    (tmp_path / "sources.json").write_text(json.dumps({key: str(path) for key, path in shelf.files.items()}))
    code = (
        "import asyncio, json, pathlib, sys\n"
        "from fenta.contracts.timeline import Timeline\n"
        "from fenta.render.engine import render\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "timeline = Timeline.model_validate_json((folder / 'timeline.json').read_text())\n"
        "sources = {k: pathlib.Path(v) for k, v in json.loads((folder / 'sources.json').read_text()).items()}\n"
        "tell = lambda done, total: print(done, flush=True)\n"
        "asyncio.run(render(timeline, sources=sources, canvases=timeline.canvases, folder=folder, on_progress=tell))\n"
    )
    service = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    with service:
        assert service.stdout is not None
        await asyncio.to_thread(service.stdout.readline)
        family = psutil.Process(service.pid).children(recursive=True)
        assert any("ffmpeg" in process.name() for process in family)
        os.kill(service.pid, signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, 10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


async def refusal(shelf: Shelf, tmp_path: Path, **changes: Any) -> RenderRefused | RenderInterrupted:
    folder = tmp_path / "out"
    document = compiled(bindings(shelf, ("One two.", "Three four."), **changes))
    with pytest.raises((RenderRefused, RenderInterrupted)) as caught:
        await render(document, sources=shelf.files, canvases=document.canvases, folder=folder)
    assert children() == []
    assert not folder.exists() or list(folder.iterdir()) == []
    assert caught.value.message.endswith((".", ""))
    return caught.value


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(200), b"\xff\xd8\xff" + bytes(99)])
async def test_a_corrupt_picture_is_named(shelf: Shelf, tmp_path: Path, data: bytes) -> None:
    broken = Visual(shelf.keep("broken.png", data))
    error = await refusal(shelf, tmp_path, visuals={"s1": shelf.picture(1), "s2": broken})
    assert isinstance(error, RenderRefused)
    assert (error.code, "v_s2" in error.message) == ("source_invalid", True)


async def test_a_picture_of_a_gigapixel_is_not_decoded(shelf: Shelf, tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    import zlib

    huge = header + zlib.crc32(header[12:]).to_bytes(4, "big") + b"\x00\x00\x00\x00IEND\xaeB`\x82"
    error = await refusal(shelf, tmp_path, visuals={"s1": Visual(shelf.keep("huge.png", huge))})
    assert error.code == "source_invalid"


@pytest.mark.parametrize("data", [b"", b"no sound at all", b"RIFF\x24\x00\x00\x00WAVEfmt "])
async def test_a_corrupt_voice_is_named(shelf: Shelf, tmp_path: Path, data: bytes) -> None:
    speech = shelf.speech("One two.")
    broken = speech.model_copy(update={"audio": shelf.keep("broken.wav", data)})
    error = await refusal(shelf, tmp_path, speech={"s1": speech, "s2": broken})
    assert isinstance(error, RenderRefused)
    assert (error.code, "voice_s2" in error.message) == ("source_invalid", True)


async def test_a_corrupt_clip_is_named(shelf: Shelf, tmp_path: Path) -> None:
    broken = Visual(shelf.keep("broken.mp4", b"no film"), media="video")
    error = await refusal(shelf, tmp_path, visuals={"s1": broken})
    assert error.code == "source_invalid"


async def test_a_missing_file_is_named(shelf: Shelf, tmp_path: Path) -> None:
    document = timeline(shelf)
    with pytest.raises(RenderRefused) as caught:
        await render(document, sources={}, canvases=[SMALL], folder=tmp_path / "out")
    assert caught.value.code == "source_missing"


async def test_characters_without_a_font_are_named(shelf: Shelf, tmp_path: Path) -> None:
    error = await refusal(shelf, tmp_path, title="ሰላም!")
    assert isinstance(error, TimelineRefused)
    assert error.code == "font_missing"
    assert "ላምሰ" in error.message


async def test_characters_that_are_left_out_are_told_of(shelf: Shelf, tmp_path: Path) -> None:
    document = timeline(shelf, ("One.",), title="ሰ tonight")
    made = await render(document, sources=shelf.files, canvases=[SMALL], folder=tmp_path / "out", workers=1)
    assert [warning.code for warning in made.warnings] == ["glyph_left_out"]


@pytest.mark.parametrize("name", ["product", "quote"])
async def test_a_film_of_a_template_passes_its_checks(shelf: Shelf, tmp_path: Path, name: str) -> None:
    """Pictures over a ground that stands still, and captions that are not drawn: neither is a fault."""
    document = compiled(bindings(shelf, ("One two.",), canvases=(TINY,), music=None), name)
    made = await render(document, sources=shelf.files, canvases=[TINY], folder=tmp_path / "out", workers=1)
    assert made.films[0].checks.faults == ()
    assert made.warnings == ()


async def test_a_text_under_a_platform_s_own_is_rendered_and_told_of(shelf: Shelf, tmp_path: Path) -> None:
    document = timeline(shelf, ("One.",))
    low = OverlayClip(id="low", start_ms=0, duration_ms=900, text="Here", style="kicker", box=(0.1, 0.85, 0.8, 0.1))
    document = document.model_copy(update={"tracks": [*document.tracks, OverlayTrack(id="o", clips=[low])]})
    made = await render(document, sources=shelf.files, canvases=[SMALL], folder=tmp_path / "out", workers=1)
    assert [warning.code for warning in made.warnings] == ["covered"]


async def test_all_faults_of_a_timeline_are_told(shelf: Shelf, tmp_path: Path) -> None:
    document = timeline(shelf, title="ሰ")
    empty = [
        track.model_copy(update={"clips": []}) if isinstance(track, CaptionTrack) else track
        for track in document.tracks
    ]
    with pytest.raises(TimelineRefused) as caught:
        await render(
            document.model_copy(update={"tracks": empty}), sources=shelf.files, canvases=[SMALL], folder=tmp_path
        )
    assert {fault.code for fault in caught.value.faults} == {"captions_empty", "font_missing"}


async def test_an_ffmpeg_that_dies_is_worth_another_try(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "dying-ffmpeg"
    dying.write_text("#!/bin/sh\necho 'the encoder fell over' >&2\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setenv("FFMPEG_PATH", str(dying))
    error = await refusal(shelf, tmp_path)
    assert isinstance(error, RenderInterrupted)
    assert (error.code, "fell over" in error.message) == ("encoder_failed", True)


async def test_an_ffmpeg_that_the_system_kills_ran_out_of_memory(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed-ffmpeg"
    killed.write_text(f'#!/bin/sh\n[ "$1" = -version ] && exec "{programs.ffmpeg_path()}" "$@"\nkill -9 $$\n')
    killed.chmod(0o755)
    monkeypatch.setenv("FFMPEG_PATH", str(killed))
    error = await refusal(shelf, tmp_path)
    assert isinstance(error, RenderInterrupted)
    assert (error.code, bool(error.hint)) == ("out_of_memory", True)


@pytest.mark.parametrize("told", ["ulimit -f 8", "trap '' XFSZ; ulimit -f 8"], ids=["by a signal", "by an error"])
async def test_a_full_disk_is_worth_another_try(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """The real ffmpeg, which may write some kilobytes into a file and no more."""
    limited = tmp_path / "limited-ffmpeg"
    limited.write_text(f'#!/bin/sh\n{told}\nexec "{programs.ffmpeg_path()}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("FFMPEG_PATH", str(limited))
    error = await refusal(shelf, tmp_path)
    assert isinstance(error, RenderInterrupted)
    assert error.code == "disk_full"
    assert error.hint


async def test_a_killed_worker_is_worth_another_try(shelf: Shelf, tmp_path: Path) -> None:
    watch = Watch()
    before = set(children())
    document = long_film(shelf)
    task = asyncio.create_task(
        render(document, sources=shelf.files, canvases=[SMALL], folder=tmp_path / "out", on_progress=watch)
    )
    await watch.started.wait()
    worker = next(process for process in children() if process not in before and "ffmpeg" not in process.name())
    worker.kill()
    with pytest.raises(RenderInterrupted) as caught:
        await task
    assert caught.value.code == "worker_died"
    assert children() == []


async def test_a_canvas_of_the_wrong_shape_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    wide = SMALL.model_copy(update={"aspect": "16:9"})
    error = await refusal(shelf, tmp_path, canvases=(wide,))
    assert error.code == "aspect_wrong"


def test_the_engine_is_imported_without_the_heavy_parts() -> None:
    heavy = ["cv2", "av", "fontTools", "numpy", "ffmpeg", "imageio_ffmpeg"]
    light = "fenta.render.engine, fenta.render.templates.compiling"
    code = f"import sys, {light}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
