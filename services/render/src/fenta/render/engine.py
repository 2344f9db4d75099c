"""One render from timeline to checked files: the work is done by child processes, a cancel ends them at once."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fenta.chassis.crash import crash_point
from fenta.contracts.nodes import Codec, EncoderWish, RenderParams
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import programs, subtitles
from fenta.render.checks import Checks, FileFacts, Heard, Seen, check
from fenta.render.encoders import BY_NAME, Encoder
from fenta.render.errors import CheckFailed, Fault, RenderInterrupted, RenderRefused, TimelineRefused
from fenta.render.timeline import FramePlan, frame_plan, label, source_hashes

LINE_LIMIT = 1 << 22
STANDARD = RenderParams()
# The names of encoders by codec and wish: neither cards nor ffmpeg change while a process lives.
_CHOSEN: dict[tuple[Codec, EncoderWish], str] = {}
OnProgress = Callable[[int, int], None]
Answer = dict[str, Any]
OnDone = Callable[[int, Answer], Awaitable[None]]


@dataclass(frozen=True)
class Film:
    """The film on one canvas and what is known of it."""

    canvas: Canvas
    video: Path
    thumbnail: Path
    fps: int
    frames: int
    duration_ms: int
    checks: Checks
    previews: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Rendered:
    """The finished files, a film per canvas in the order asked for; previews and what is beside them by output name.

    `segments` are the keys of all parts, `free_frames` is how many frames came from parts that were paid for before.
    `warnings` say what is shown otherwise than it was asked for.
    """

    films: tuple[Film, ...]
    beside: Mapping[str, Path]
    loudness_lufs: float | None
    true_peak_db: float | None
    segments: tuple[str, ...] = ()
    free_frames: int = 0
    encoder: str = "libx264"
    warnings: tuple[Fault, ...] = ()

    @property
    def encoded_ms(self) -> int:
        """Of all films together what has to be paid for."""
        frames, fps = sum(film.frames for film in self.films), self.films[0].fps
        return (frames - self.free_frames) * 1000 // fps

    @property
    def cached_ms(self) -> int:
        """What had been made and paid for before."""
        return self.free_frames * 1000 // self.films[0].fps


class Cache(Protocol):
    """Finished segments by key, with what was seen of them. It may lose any of them, and never fails."""

    async def find(self, keys: Sequence[str]) -> Mapping[str, Answer]: ...

    async def fetch(self, key: str, path: Path) -> bool: ...

    async def keep(self, key: str, path: Path, seen: Answer) -> None: ...

    async def forget(self, keys: Sequence[str]) -> None: ...


class NoCache:
    """Makes everything anew."""

    async def find(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        return {}

    async def fetch(self, key: str, path: Path) -> bool:
        return False

    async def keep(self, key: str, path: Path, seen: Answer) -> None:
        pass

    async def forget(self, keys: Sequence[str]) -> None:
        pass


NO_CACHE: Cache = NoCache()


async def render(
    timeline: Timeline,
    *,
    sources: Mapping[str, Path],
    canvases: Sequence[Canvas],
    folder: Path,
    params: RenderParams = STANDARD,
    on_progress: OnProgress = lambda done, total: None,
    workers: int | None = None,
    cache: Cache = NO_CACHE,
    face_model: Path | None = None,
) -> Rendered:
    """Render a film for each canvas into `folder`; the sound is made once for all.

    `params` says how the films are encoded and what is wanted beside them; their canvases are given apart. With the
    weights of `face_model` a thumbnail may be chosen by the faces on it.
    `sources` has a local file for the SHA-256 of every asset of the timeline. `on_progress` is told frames done and
    frames in all, rising. Raises RenderRefused (TimelineRefused, CheckFailed) or RenderInterrupted; then, as after a
    cancel, no child runs on and no file of the render is left.
    """
    if missing := source_hashes(timeline) - sources.keys():
        raise RenderRefused("source_missing", f"The timeline names files that are not there: {', '.join(missing)}.")
    timeline = subtitles.filled(timeline, sources)
    work = _work_folder(
        folder, timeline, canvases, sources, params=params.model_dump(mode="json"), face_model=str(face_model or "")
    )
    try:
        async with _crew(work, workers or cores()) as crew:
            rendered = await _render(crew, Order(timeline, canvases, params, work, on_progress, cache))
        return _moved(rendered, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work_folder(
    folder: Path,
    timeline: Timeline,
    canvases: Sequence[Canvas],
    sources: Mapping[str, Path],
    **words: Any,
) -> Path:
    work = folder.resolve() / "work"
    work.mkdir(parents=True)
    spec = {
        "timeline": timeline.model_dump(mode="json", by_alias=True),
        "canvases": [canvas.model_dump(mode="json") for canvas in canvases],
        **words,
        "sources": {sha256: str(path.resolve()) for sha256, path in sources.items()},
        "folder": str(work),
    }
    (work / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return work


def _moved(rendered: Rendered, folder: Path) -> Rendered:
    """Out of the working folder, which is about to go."""
    films = tuple(
        replace(film, video=_into(folder, film.video), thumbnail=_into(folder, film.thumbnail),
                previews=_all_into(folder, film.previews))
        for film in rendered.films
    )  # fmt: skip
    return replace(rendered, films=films, beside=_all_into(folder, rendered.beside))


def _all_into(folder: Path, files: Mapping[str, Path]) -> Mapping[str, Path]:
    return {name: _into(folder, file) for name, file in files.items()}


def _into(folder: Path, file: Path) -> Path:
    return file.replace(folder / file.name)


# --- the plan of the work ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """What is to be rendered, in which folder, whom to tell of it, and where finished parts may be."""

    timeline: Timeline
    canvases: Sequence[Canvas]
    params: RenderParams
    work: Path
    tell: OnProgress
    cache: Cache

    def files(self, names: Answer) -> dict[str, Path]:
        return {name: self.work / file for name, file in names.items()}

    def file(self, cut: "Cut") -> Path:
        """Where a segment lies, whoever has made it."""
        return self.work / label(self.canvases[cut.canvas]) / cut.name


async def _render(crew: "Crew", order: Order) -> Rendered:
    encoder = await _encoder(crew, order.params)
    (prepared,) = await crew.do([{"do": "prepare", "encoder": encoder.name}])
    plans = [frame_plan(order.timeline, canvas) for canvas in order.canvases]
    cuts = [Cut(**cut) for cut in prepared["cuts"]]
    encoded, sound, thumbnails = await _parts(crew, order, cuts)
    segments = [[(cut, encoded[cut.place]) for cut in cuts if cut.canvas == number] for number in range(len(plans))]
    joined = await crew.do([_joining(number, parts, sound) for number, parts in enumerate(segments)])
    facts = [_facts(film) for film in joined]
    try:
        checks = _checked(plans, facts, segments, sound, encoder)
    except CheckFailed:
        # What is wrong with the film may be wrong with a part of it.
        await order.cache.forget([cut.key for cut in cuts])
        raise
    *previews, documents = await crew.do(_last(order, [film["file"] for film in joined], encoder, cuts))
    parts = zip(plans, joined, thumbnails, facts, checks, previews, strict=True)
    films = tuple(
        Film(plan.canvas, order.work / film["file"], order.work / picture["file"], plan.fps, fact.frames,
             fact.duration_ms, found, order.files(small))
        for plan, film, picture, fact, found, small in parts
    )  # fmt: skip
    alone = {"audio": f"audio.{order.params.audio}"} if order.params.audio else {}
    return Rendered(
        films,
        beside=order.files(documents | alone),
        loudness_lufs=sound["loudness_lufs"],
        true_peak_db=sound["true_peak_db"],
        segments=tuple(cut.key for cut in cuts),
        free_frames=sum(cut.frames for cut in cuts if encoded[cut.place].get("paid")),
        encoder=encoder.name,
        warnings=tuple(Fault(**warning) for warning in prepared["warnings"]),
    )


def _last(order: Order, films: Sequence[str], encoder: Encoder, cuts: Sequence["Cut"]) -> list[Answer]:
    """What is made of the finished films: previews of each, and what belongs to all."""
    previews = [{"do": "previews", "canvas": number, "film": film} for number, film in enumerate(films)]
    keys = [cut.key for cut in cuts]
    return [*previews, {"do": "documents", "films": list(films), "encoder": encoder.name, "segments": keys}]


async def _encoder(crew: "Crew", params: RenderParams) -> Encoder:
    """What this machine has is tried once in the life of the process."""
    wish = params.codec, params.encoder
    if wish not in _CHOSEN:
        (answer,) = await crew.do([{"do": "choose"}])
        _CHOSEN[wish] = answer["encoder"]
    return BY_NAME[_CHOSEN[wish]]


async def _parts(
    crew: "Crew", order: Order, cuts: Sequence["Cut"]
) -> tuple[dict[tuple[int, int], Answer], Answer, Sequence[Answer]]:
    """The segments by place, the sound and the thumbnails."""
    kept = await _kept(order, cuts)
    progress = Progress(sum(cut.frames for cut in cuts), order.tell)
    progress.begin(sum(cut.frames for cut in cuts if cut.place in kept))
    # The longest first, so that the workers come to an end together.
    new = sorted((cut for cut in cuts if cut.place not in kept), key=lambda cut: -cut.frames)
    pictures = [{"do": "thumbnail", "canvas": number} for number in range(len(order.canvases))]

    async def keep(index: int, answer: Answer) -> None:
        if index < len(new):
            await order.cache.keep(new[index].key, order.file(new[index]), answer)

    tasks: list[Answer] = [*(cut.task for cut in new), {"do": "sound"}, *pictures]
    made = await crew.do(tasks, progress, keep)
    encoded = kept | {cut.place: answer for cut, answer in zip(new, made, strict=False)}
    return encoded, made[len(new)], made[len(new) + 1 :]


async def _kept(order: Order, cuts: Sequence["Cut"]) -> dict[tuple[int, int], Answer]:
    """What need not be made again, by place; its files lie where new ones would."""
    found = await order.cache.find([cut.key for cut in cuts])
    there = [cut for cut in cuts if cut.key in found and await order.cache.fetch(cut.key, order.file(cut))]
    return {cut.place: found[cut.key] for cut in there}


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
    def place(self) -> tuple[int, int]:
        return self.canvas, self.first

    @property
    def task(self) -> Answer:
        place = {"canvas": self.canvas, "first": self.first, "last": self.last}
        return {"do": "segment", **place, "encoder": self.encoder}


def _joining(canvas: int, segments: Sequence[tuple[Cut, Answer]], sound: Answer) -> Answer:
    parts = [(cut.name, cut.frames) for cut, _ in segments]
    return {"do": "join", "canvas": canvas, "segments": parts, "sound": sound["file"]}


def _facts(film: Answer) -> FileFacts:
    return FileFacts(**{**film["facts"], "colour": tuple(film["facts"]["colour"])})


class Progress:
    """Frames done over all segments; what it tells never falls."""

    def __init__(self, total: int, tell: OnProgress) -> None:
        self._total, self._tell = total, tell
        self._done: dict[int, int] = {}

    def begin(self, frames: int) -> None:
        """So many are there already."""
        if frames:
            self._done[-1] = frames

    def update(self, task: int, frames: int) -> None:
        crash_point("film.rendering")
        self._done[task] = max(frames, self._done.get(task, 0))
        self._tell(sum(self._done.values()), self._total)


def _checked(
    plans: Sequence[FramePlan],
    facts: Sequence[FileFacts],
    segments: Sequence[Sequence[tuple[Cut, Answer]]],
    sound: Answer,
    encoder: Encoder,
) -> list[Checks]:
    """What was found of each film. Raises CheckFailed with the faults of all."""
    heard = Heard(sound["loudness_lufs"], sound["silent_ms"], sound["mute"])
    parts = zip(plans, facts, segments, strict=True)
    found = [check(plan, fact, _seen(encoded), heard, encoder) for plan, fact, encoded in parts]
    if faults := [fault for checks in found for fault in checks.faults]:
        raise CheckFailed(faults)
    return found


def _seen(segments: Sequence[tuple[Cut, Answer]]) -> Seen:
    return Seen(
        luma=[luma for _, segment in segments for luma in segment["statistics"]["luma"]],
        change=[change for _, segment in segments for change in segment["statistics"]["change"]],
        captioned={
            cut.first + int(frame): visible
            for cut, segment in segments
            for frame, visible in segment["captioned"].items()
        },
    )


# --- the workers ------------------------------------------------------------------------------------------------------


class Crew:
    """Worker processes that share a list of tasks."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process], work: Path) -> None:
        self._processes, self._work = processes, work

    async def do(
        self, tasks: Sequence[Answer], progress: Progress | None = None, done: OnDone | None = None
    ) -> list[Answer]:
        """Results in the order of the tasks; `done` hears each when it is there. The first failure ends all."""
        results: list[Answer] = [{} for _ in tasks]
        waiting = deque(enumerate(tasks))
        async with asyncio.TaskGroup() as group:
            for process in self._processes[: len(tasks)]:
                group.create_task(self._work_off(process, waiting, results, progress, done))
        return results

    async def _work_off(
        self,
        process: asyncio.subprocess.Process,
        waiting: "deque[tuple[int, Answer]]",
        results: list[Answer],
        progress: Progress | None,
        done: OnDone | None,
    ) -> None:
        while waiting:
            index, task = waiting.popleft()
            async for answer in self._answers(process, task):
                if "frames" in answer and progress:
                    progress.update(index, answer["frames"])
                results[index] = _result(answer)
            if done:
                await done(index, results[index])

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
        env=programs.harmless_environment(),
        # A group of its own: one signal reaches the worker and every ffmpeg that it has started.
        start_new_session=True,
    )


def _kill(process: asyncio.subprocess.Process) -> None:
    # It may be gone already, and its whole group with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
