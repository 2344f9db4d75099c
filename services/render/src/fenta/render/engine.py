"""One render from timeline to checked files: the work is done by child processes, a cancel ends them at once."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fenta.chassis.crash import crash_point
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import sidecars
from fenta.render.checks import Checks, FileFacts, Heard, Seen, check
from fenta.render.errors import CheckFailed, Fault, RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.timeline import FramePlan, captions, frame_plan, source_hashes

LINE_LIMIT = 1 << 22
OnProgress = Callable[[int, int], None]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The finished files and what is known of them. Without a caption track there are no sidecars."""

    video: Path
    thumbnail: Path
    srt: Path | None
    vtt: Path | None
    width: int
    height: int
    fps: int
    frames: int
    duration_ms: int
    encoded_ms: int
    loudness_lufs: float | None
    true_peak_db: float | None
    checks: Checks


async def render(
    timeline: Timeline,
    *,
    sources: Mapping[str, Path],
    canvas: Canvas,
    folder: Path,
    on_progress: OnProgress = lambda done, total: None,
    workers: int | None = None,
) -> Rendered:
    """Render into `folder`. `sources` has a local file for the SHA-256 of every asset of the timeline.

    `on_progress` is told frames done and frames in all, rising. Raises RenderRefused (TimelineRefused, CheckFailed)
    or RenderInterrupted; then, as after a cancel, no child runs on and no file of the render is left.
    """
    if missing := source_hashes(timeline) - sources.keys():
        raise RenderRefused("source_missing", f"The timeline names files that are not there: {', '.join(missing)}.")
    work = _work_folder(folder, timeline, canvas, sources)
    try:
        async with _crew(work, workers or cores()) as crew:
            rendered = await _render(crew, timeline, canvas, work, on_progress)
        return _moved(rendered, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work_folder(folder: Path, timeline: Timeline, canvas: Canvas, sources: Mapping[str, Path]) -> Path:
    work = folder.resolve() / "work"
    work.mkdir(parents=True)
    spec = {
        "timeline": timeline.model_dump(mode="json", by_alias=True),
        "canvas": canvas.model_dump(mode="json"),
        "sources": {sha256: str(path.resolve()) for sha256, path in sources.items()},
        "folder": str(work),
    }
    (work / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return work


def _moved(rendered: Rendered, folder: Path) -> Rendered:
    """Out of the working folder, which is about to go."""
    files = {name: file for name, file in vars(rendered).items() if isinstance(file, Path)}
    return Rendered(**{**vars(rendered), **{name: file.replace(folder / file.name) for name, file in files.items()}})


# --- the plan of the work ---------------------------------------------------------------------------------------------


async def _render(crew: "Crew", timeline: Timeline, canvas: Canvas, work: Path, on_progress: OnProgress) -> Rendered:
    await crew.do([{"do": "prepare"}])
    plan = frame_plan(timeline, canvas)
    spans = plan.segments()
    # The longest first, so that the workers come to an end together.
    order = sorted(range(len(spans)), key=lambda index: spans[index][0] - spans[index][1])
    tasks: list[Answer] = [{"do": "segment", "first": spans[index][0], "last": spans[index][1]} for index in order]
    progress = Progress(plan.frames, on_progress)
    *encoded, sound, _ = await crew.do([*tasks, {"do": "sound"}, {"do": "thumbnail"}], progress)
    segments = [segment for _, segment in sorted(zip(order, encoded, strict=True), key=lambda pair: pair[0])]
    parts = [(segment["name"], segment["frames"]) for segment in segments]
    (film,) = await crew.do([{"do": "join", "segments": parts, "sound": sound["file"]}])
    return _checked(plan, segments, sound, film, work)


class Progress:
    """Frames done over all segments; what it tells never falls."""

    def __init__(self, total: int, tell: OnProgress) -> None:
        self._total, self._tell = total, tell
        self._done: dict[int, int] = {}

    def update(self, task: int, frames: int) -> None:
        crash_point("film.rendering")
        self._done[task] = max(frames, self._done.get(task, 0))
        self._tell(sum(self._done.values()), self._total)


def _checked(plan: FramePlan, segments: Sequence[Answer], sound: Answer, film: Answer, work: Path) -> Rendered:
    facts = FileFacts(**{**film["facts"], "colour": tuple(film["facts"]["colour"])})
    seen = _seen(segments)
    heard = Heard(sound["loudness_lufs"], sound["silent_ms"], sound["mute"])
    found = check(plan, facts, seen, heard)
    if not found.passed:
        raise CheckFailed(found.faults)
    return Rendered(
        video=work / film["file"],
        thumbnail=work / "thumbnail.jpg",
        **_sidecars(plan, work),
        width=facts.width,
        height=facts.height,
        fps=plan.fps,
        frames=facts.frames,
        duration_ms=facts.duration_ms,
        encoded_ms=facts.frames * 1000 // plan.fps,
        loudness_lufs=sound["loudness_lufs"],
        true_peak_db=sound["true_peak_db"],
        checks=found,
    )


def _seen(segments: Sequence[Answer]) -> Seen:
    return Seen(
        luma=[luma for segment in segments for luma in segment["statistics"]["luma"]],
        change=[change for segment in segments for change in segment["statistics"]["change"]],
        captioned={int(frame): visible for segment in segments for frame, visible in segment["captioned"].items()},
    )


def _sidecars(plan: FramePlan, work: Path) -> dict[str, Path | None]:
    track = captions(plan.timeline)
    if track is None:
        return {"srt": None, "vtt": None}
    files = {"srt": (work / "subtitles.srt", sidecars.srt(track)), "vtt": (work / "subtitles.vtt", sidecars.vtt(track))}
    for file, text in files.values():
        file.write_text(text, encoding="utf-8")
    return {name: file for name, (file, _) in files.items()}


# --- the workers ------------------------------------------------------------------------------------------------------


class Crew:
    """Worker processes that share a list of tasks."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process], work: Path) -> None:
        self._processes, self._work = processes, work

    async def do(self, tasks: Sequence[Answer], progress: Progress | None = None) -> list[Answer]:
        """Results in the order of the tasks. The first failure ends all."""
        results: list[Answer] = [{} for _ in tasks]
        waiting = deque(enumerate(tasks))
        async with asyncio.TaskGroup() as group:
            for process in self._processes[: len(tasks)]:
                group.create_task(self._work_off(process, waiting, results, progress))
        return results

    async def _work_off(
        self,
        process: asyncio.subprocess.Process,
        waiting: "deque[tuple[int, Answer]]",
        results: list[Answer],
        progress: Progress | None,
    ) -> None:
        while waiting:
            index, task = waiting.popleft()
            async for answer in self._answers(process, task):
                if "frames" in answer and progress:
                    progress.update(index, answer["frames"])
                results[index] = _result(answer)

    async def _answers(self, process: asyncio.subprocess.Process, task: Answer) -> AsyncIterator[Answer]:
        """Reports of progress, and the result as the last one."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a worker is started with pipes")
        stdin.write(json.dumps(task).encode() + b"\n")
        while line := await stdout.readline():
            answer: Answer = json.loads(line)
            yield answer
            if "frames" not in answer:
                return
        raise RenderInterrupted("worker_died", "A render process ended early.", self._last_words())

    def _last_words(self) -> str:
        log = self._work / "workers.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1][:300] if lines else "It left no message."


def _result(answer: Answer) -> Answer:
    if "refused" in answer:
        raise _refusal(answer["refused"])
    if "interrupted" in answer:
        error = answer["interrupted"]
        raise RenderInterrupted(error["code"], error["message"], error["hint"])
    result: Answer = answer.get("done", {})
    return result


def _refusal(error: Answer) -> RenderRefused:
    if error["faults"]:
        return TimelineRefused([Fault(**fault) for fault in error["faults"]])
    return RenderRefused(error["code"], error["message"], error["hint"])


@asynccontextmanager
async def _crew(work: Path, size: int) -> AsyncIterator[Crew]:
    processes: list[asyncio.subprocess.Process] = []
    try:
        with (work / "workers.log").open("wb") as log:
            while len(processes) < size:
                processes.append(await _start(work, log))
        yield Crew(processes, work)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        for process in processes:
            _kill(process)
        for process in processes:
            await process.wait()


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """A failure of one task cancels the others, so there is one that matters."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _start(work: Path, log: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fenta.render.worker",
        str(work / "spec.json"),
        str(os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=LINE_LIMIT,
        # A group of its own: one signal reaches the worker and every ffmpeg that it has started.
        start_new_session=True,
    )


def _kill(process: asyncio.subprocess.Process) -> None:
    # It may be gone already, and its whole group with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
