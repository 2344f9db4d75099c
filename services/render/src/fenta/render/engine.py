"""One render from timeline to checked files: the work is done by child processes, a cancel ends them at once."""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fenta.chassis.crash import crash_point
from fenta.contracts.nodes import Codec, EncoderWish, RenderParams
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render import subtitles
from fenta.render.checks import Checks, FileFacts, Heard, Seen, check
from fenta.render.crew import Answer, Crew, Cut, Spec, cores, open_crew
from fenta.render.encoders import BY_NAME, Encoder
from fenta.render.errors import CheckFailed, Fault, RenderInterrupted, RenderRefused, Sight
from fenta.render.timeline import FramePlan, frame_plan, source_hashes

STANDARD = RenderParams()
# The names of encoders by codec and wish: neither cards nor ffmpeg change while a process lives.
_CHOSEN: dict[tuple[Codec, EncoderWish], str] = {}
OnProgress = Callable[[int, int], None]


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


class Hands(Protocol):
    """Who makes the segments that are not there yet; each lies in the crew's folder when it is made."""

    async def make(
        self, crew: Crew, cuts: Sequence[Cut], cache: Cache, progress: "Progress"
    ) -> Mapping[str, Answer]: ...


class OwnHands:
    """The render's own crew, and nobody else."""

    async def make(self, crew: Crew, cuts: Sequence[Cut], cache: Cache, progress: "Progress") -> Mapping[str, Answer]:
        async def one(cut: Cut) -> None:
            answer = await crew.make(cut, lambda frames: progress.update(cut.key, frames))
            await cache.keep(cut.key, crew.file(cut), answer)

        async with asyncio.TaskGroup() as group:
            for cut in cuts:
                group.create_task(one(cut))
        return crew.made


OWN_HANDS: Hands = OwnHands()


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
    hands: Hands = OWN_HANDS,
    face_model: Path | None = None,
) -> Rendered:
    """Render a film for each canvas into `folder`; the sound is made once for all.

    `params` says how the films are encoded and what is wanted beside them; their canvases are given apart. With the
    weights of `face_model` a thumbnail may be chosen by the faces on it.
    `sources` has a local file for the SHA-256 of every asset of the timeline. `on_progress` is told frames done and
    frames in all, rising. Raises RenderRefused (TimelineRefused, CheckFailed) or RenderInterrupted; then, as after a
    cancel, no child runs on and no file of the render is left but the pictures that CheckFailed has with it.
    """
    if missing := source_hashes(timeline) - sources.keys():
        raise RenderRefused("source_missing", f"The timeline names files that are not there: {', '.join(missing)}.")
    timeline = subtitles.filled(timeline, sources)
    spec = Spec(timeline, canvases, sources, params, face_model)
    try:
        async with open_crew(spec, folder, size=workers or cores()) as crew:
            try:
                rendered = await _render(crew, Order(timeline, canvases, params, on_progress, cache, hands))
            except CheckFailed as failed:
                raise CheckFailed(failed.faults, _kept_sights(failed.sights, folder)) from None
            return _moved(rendered, folder)
    except BaseExceptionGroup as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """A failure of one task cancels the others, so there is one that matters."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _kept_sights(sights: Sequence[Sight], folder: Path) -> list[Sight]:
    return [replace(sight, picture=_into(folder, sight.picture)) for sight in sights]


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
    """What is to be rendered, whom to tell of it, where finished parts may be, and who makes the others."""

    timeline: Timeline
    canvases: Sequence[Canvas]
    params: RenderParams
    tell: OnProgress
    cache: Cache
    hands: Hands


async def _render(crew: Crew, order: Order) -> Rendered:
    encoder = await _encoder(crew, order.params)
    prepared = await crew.ask({"do": "prepare", "encoder": encoder.name})
    plans = [frame_plan(order.timeline, canvas) for canvas in order.canvases]
    cuts = [Cut(**cut) for cut in prepared["cuts"]]
    sides = [Side(**side) for side in prepared["sides"]]
    encoded, sound, thumbnails = await _parts(crew, order, cuts, sides)
    segments = [[(cut, encoded[cut.key]) for cut in cuts if cut.canvas == number] for number in range(len(plans))]
    joined = await crew.do([_joining(number, parts, sound) for number, parts in enumerate(segments)])
    facts = [_facts(film) for film in joined]
    checks = _checked(plans, facts, segments, sound, encoder)
    if faults := [fault for found in checks for fault in found.faults]:
        # What is wrong with the film may be wrong with a part of it.
        await order.cache.forget([*(cut.key for cut in cuts), *(side.key for side in sides if side.key)])
        raise CheckFailed(faults, await _sights(crew, plans, joined, checks))
    *previews, documents = await crew.do(_last(order, [film["file"] for film in joined], encoder, cuts))
    parts = zip(plans, joined, thumbnails, facts, checks, previews, strict=True)
    films = tuple(
        Film(plan.canvas, crew.work / film["file"], crew.work / picture["file"], plan.fps, fact.frames,
             fact.duration_ms, found, _files(crew, small))
        for plan, film, picture, fact, found, small in parts
    )  # fmt: skip
    alone = {"audio": f"audio.{order.params.audio}"} if order.params.audio else {}
    return Rendered(
        films,
        beside=_files(crew, documents | alone),
        loudness_lufs=sound["loudness_lufs"],
        true_peak_db=sound["true_peak_db"],
        segments=tuple(cut.key for cut in cuts),
        free_frames=sum(cut.frames for cut in cuts if encoded[cut.key].get("paid")),
        encoder=encoder.name,
        warnings=tuple(Fault(**warning) for warning in prepared["warnings"]),
    )


def _last(order: Order, films: Sequence[str], encoder: Encoder, cuts: Sequence[Cut]) -> list[Answer]:
    """What is made of the finished films: previews of each, and what belongs to all."""
    previews = [{"do": "previews", "canvas": number, "film": film} for number, film in enumerate(films)]
    keys = [cut.key for cut in cuts]
    return [*previews, {"do": "documents", "films": list(films), "encoder": encoder.name, "segments": keys}]


async def _encoder(crew: Crew, params: RenderParams) -> Encoder:
    """What this machine has is tried once in the life of the process."""
    wish = params.codec, params.encoder
    if wish not in _CHOSEN:
        _CHOSEN[wish] = (await crew.ask({"do": "choose"}))["encoder"]
    return BY_NAME[_CHOSEN[wish]]


def _files(crew: Crew, names: Answer) -> dict[str, Path]:
    return {name: crew.work / file for name, file in names.items()}


@dataclass(frozen=True)
class Side:
    """Something that is made beside the segments; without a key it is made every time."""

    task: Answer
    key: str | None


async def _parts(
    crew: Crew, order: Order, cuts: Sequence[Cut], sides: Sequence[Side]
) -> tuple[dict[str, Answer], Answer, Sequence[Answer]]:
    """The segments by key, the sound and the thumbnails."""
    kept = await kept_of(crew, order.cache, cuts)
    progress = Progress(sum(cut.frames for cut in cuts), order.tell)
    # Parts that look the same are made once. In the order of the film: who has made one has the next one's pictures.
    new = list({cut.key: cut for cut in cuts if cut.key not in kept}.values())
    progress.begin(sum(cut.frames for cut in cuts) - sum(cut.frames for cut in new))
    async with asyncio.TaskGroup() as group:
        making = group.create_task(order.hands.make(crew, new, order.cache, progress))
        others = [group.create_task(_side(crew, order.cache, side)) for side in sides]
    _repeat(crew, cuts, new)
    sound, *thumbnails = [other.result() for other in others]
    return kept | dict(making.result()), sound, thumbnails


async def _side(crew: Crew, cache: Cache, side: Side) -> Answer:
    """As it was made before, or now."""
    if side.key is None:
        return await crew.ask(side.task)
    found = (await cache.find([side.key])).get(side.key)
    if found and await cache.fetch(side.key, crew.work / found["file"]):
        return dict(found)
    made = await crew.ask(side.task)
    if made["file"]:
        await cache.keep(side.key, crew.work / made["file"], made)
    return made


async def kept_of(crew: Crew, cache: Cache, cuts: Sequence[Cut]) -> dict[str, Answer]:
    """What need not be made again, by key; its files lie where new ones would."""
    found = await cache.find([cut.key for cut in cuts])
    there = [cut.key for cut in cuts if cut.key in found and await cache.fetch(cut.key, crew.file(cut))]
    return {key: found[key] for key in there}


def _repeat(crew: Crew, cuts: Sequence[Cut], new: Sequence[Cut]) -> None:
    """A part that is seen twice was made once, and lies in the place of the first."""
    made = {cut.key: cut for cut in new}
    for cut in cuts:
        if cut.key in made and not crew.file(cut).exists():
            shutil.copyfile(crew.file(made[cut.key]), crew.file(cut))


def _joining(canvas: int, segments: Sequence[tuple[Cut, Answer]], sound: Answer) -> Answer:
    parts = [(cut.name, cut.frames) for cut, _ in segments]
    return {"do": "join", "canvas": canvas, "segments": parts, "sound": sound["file"]}


def _facts(film: Answer) -> FileFacts:
    facts = film["facts"]
    return FileFacts(**{**facts, "colour": tuple(facts["colour"]), "streams": tuple(facts["streams"])})


async def _sights(
    crew: Crew, plans: Sequence[FramePlan], films: Sequence[Answer], found: Sequence[Checks]
) -> list[Sight]:
    """A picture of each fault that can be seen, as far as the film can be read."""
    sights = []
    for number, (plan, film, checks) in enumerate(zip(plans, films, found, strict=True)):
        for fault in (fault for fault in checks.faults if fault.frame is not None):
            task = {"do": "sight", "canvas": number, "film": film["file"], "frame": fault.frame, "code": fault.code}
            with suppress(RenderInterrupted):
                file = (await crew.ask(task))["file"]
                at_ms = (fault.frame or 0) * 1000 // plan.fps
                sights.append(Sight(fault.code, plan.canvas.aspect, at_ms, crew.work / file))
    return sights


class Progress:
    """Frames done over all segments; what it tells never falls."""

    def __init__(self, total: int, tell: OnProgress) -> None:
        self._total, self._tell = total, tell
        self._done: dict[str, int] = {}

    def begin(self, frames: int) -> None:
        """So many are there already."""
        if frames:
            self._done[""] = frames

    def update(self, key: str, frames: int) -> None:
        crash_point("film.rendering")
        self._done[key] = max(frames, self._done.get(key, 0))
        self._tell(sum(self._done.values()), self._total)


def _checked(
    plans: Sequence[FramePlan],
    facts: Sequence[FileFacts],
    segments: Sequence[Sequence[tuple[Cut, Answer]]],
    sound: Answer,
    encoder: Encoder,
) -> list[Checks]:
    """What was found of each film."""
    heard = Heard(sound["loudness_lufs"], sound["silent_ms"], sound["mute"])
    parts = zip(plans, facts, segments, strict=True)
    return [check(plan, fact, _seen(encoded), heard, encoder) for plan, fact, encoded in parts]


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
