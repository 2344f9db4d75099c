"""The processes that do the heavy parts of one render: they share its tasks, and all end with the crew."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fenta.chassis.errors import Unavailable
from fenta.contracts.nodes import RenderParams
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import programs
from fenta.render.errors import Fault, RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.timeline import label

LINE_LIMIT = 1 << 22
Answer = dict[str, Any]
OnFrames = Callable[[int], None]


@dataclass(frozen=True)
class Cut:
    """A segment of one canvas' film: the frames `[first, last)`, its key, and its file in the canvas' folder."""

    canvas: int
    first: int
    last: int
    key: str
    name: str
    encoder: str

    @property
    def frames(self) -> int:
        return self.last - self.first

    @property
    def task(self) -> Answer:
        place = {"canvas": self.canvas, "first": self.first, "last": self.last}
        return {"do": "segment", **place, "encoder": self.encoder}


@dataclass(frozen=True)
class Spec:
    """What a crew works on: a timeline with all its captions, its canvases, and a file for each of its sources."""

    timeline: Timeline
    canvases: Sequence[Canvas]
    sources: Mapping[str, Path]
    params: RenderParams
    face_model: Path | None = None

    def document(self, work: Path) -> Answer:
        return {
            "timeline": self.timeline.model_dump(mode="json", by_alias=True),
            "canvases": [canvas.model_dump(mode="json") for canvas in self.canvases],
            "sources": {sha256: str(path.resolve()) for sha256, path in self.sources.items()},
            "params": self.params.model_dump(mode="json"),
            "face_model": str(self.face_model or ""),
            "folder": str(work),
        }


class Crew:
    """Worker processes of one render, each started when it is first needed. `work` holds all that they read and write.

    `made` has what came of the segments that were made here, by key.
    """

    def __init__(self, work: Path, canvases: Sequence[Canvas], size: int) -> None:
        self.work, self._canvases = work, canvases
        self.made: dict[str, Answer] = {}
        # Who has worked goes on: a process that runs already costs nothing.
        self._seats: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._seats.put_nowait(None)
        self._processes: list[asyncio.subprocess.Process] = []
        self._closed = False

    def file(self, cut: Cut) -> Path:
        """Where a segment lies, whoever has made it."""
        return self.work / label(self._canvases[cut.canvas]) / cut.name

    async def make(self, cut: Cut, on_frames: OnFrames) -> Answer:
        self.made[cut.key] = answer = await self.ask(cut.task, on_frames)
        return answer

    async def do(self, tasks: Sequence[Answer]) -> list[Answer]:
        """Results in the order of the tasks. The first failure ends all."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self.ask(task)) for task in tasks]
        return [task.result() for task in running]

    async def ask(self, task: Answer, on_frames: OnFrames = lambda frames: None) -> Answer:
        """The result of one task; `on_frames` hears how far it is. Raises RenderRefused or RenderInterrupted."""
        process = await self._seats.get()
        answer: Answer | None = None
        try:
            process = process or await self._start()
            async for answer in _answers(process, task):
                if "frames" in answer:
                    on_frames(answer["frames"])
        finally:
            idle = answer is not None and "frames" not in answer
            if process and not idle:
                _kill(process)
            self._seats.put_nowait(process if idle else None)
        if answer is None or "frames" in answer:
            raise self._death()
        return _result(answer)

    async def close(self) -> None:
        """End all that runs, and everything that it has started."""
        self._closed = True
        for process in self._processes:
            _kill(process)
        for process in self._processes:
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        with (self.work / "workers.log").open("ab") as log:
            process = await _started(self.work, log)
        self._processes.append(process)
        if self._closed:
            _kill(process)
        return process

    def _death(self) -> Exception:
        if self._closed:
            return Unavailable("the crew that had this segment is gone", retry_after_seconds=0.1)
        return RenderInterrupted("worker_died", "A render process ended early.", self._last_words())

    def _last_words(self) -> str:
        log = self.work / "workers.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1][:300] if lines else "It left no message."


@asynccontextmanager
async def open_crew(spec: Spec, folder: Path, *, size: int) -> AsyncIterator[Crew]:
    """A crew with a working folder below `folder`; both are gone at the end."""
    crew = Crew(_work_folder(spec, folder), spec.canvases, size)
    try:
        yield crew
    finally:
        await crew.close()
        shutil.rmtree(crew.work, ignore_errors=True)


def _work_folder(spec: Spec, folder: Path) -> Path:
    work = folder.resolve() / "work"
    work.mkdir(parents=True)
    (work / "spec.json").write_text(json.dumps(spec.document(work)), encoding="utf-8")
    return work


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def _answers(process: asyncio.subprocess.Process, task: Answer) -> AsyncIterator[Answer]:
    """Reports of progress, and the result as the last one, unless the process dies before."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("a worker is started with pipes")
    stdin.write(json.dumps(task).encode() + b"\n")
    while line := await stdout.readline():
        answer: Answer = json.loads(line)
        yield answer
        if "frames" not in answer:
            return


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


async def _started(work: Path, log: Any) -> asyncio.subprocess.Process:
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
        env=programs.harmless_environment(),
        # A group of its own: one signal reaches the worker and every ffmpeg that it has started.
        start_new_session=True,
    )


def _kill(process: asyncio.subprocess.Process) -> None:
    # It may be gone already, and its whole group with it; then its number may be another's.
    with suppress(ProcessLookupError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
