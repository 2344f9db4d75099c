"""What an edit costs: the share of a cold render that is spent again."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fenta.contracts.timeline import AudioTrack, CaptionTrack, Motion, OverlayTrack, Timeline, VideoTrack
from tools.bench.page import result
from tools.bench.render.meter import cpu
from tools.bench.render.reference import Reference

ROUNDS = 3
# A scene in the middle of the film.
SCENE = 6


class Folder:
    """A cache of segments in a folder, as plain as one can be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Any] = {}
        folder.mkdir()

    async def find(self, keys: Sequence[str]) -> Mapping[str, Any]:
        return {key: self._seen[key] for key in keys if key in self._seen}

    async def fetch(self, key: str, path: Path) -> bool:
        shutil.copyfile(self._folder / key, path)
        return True

    async def keep(self, key: str, path: Path, seen: Any) -> None:
        shutil.copyfile(path, self._folder / key)
        self._seen[key] = seen

    async def forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._seen.pop(key, None)


def results(reference: Reference) -> list[dict[str, Any]]:
    film = reference.timeline
    edits: list[tuple[str, str, float, Callable[[Timeline], Timeline]]] = [
        ("nothing", "nothing changed", 0.015, lambda film: film),
        ("word", "one caption word", 0.08, _another_word),
        ("camera", "one scene's camera", 0.15, _another_move),
        ("longer", "one scene a second longer", 0.25, _longer),
    ]
    shares: dict[str, list[float]] = {name: [] for name, *_ in edits}
    for number in range(ROUNDS):
        cache = Folder(reference.folder / f"cache-{number}")
        cold = cpu(reference.render, film, cache=cache)
        for name, _, _, change in edits:
            shares[name].append(cpu(reference.render, change(film), cache=cache) / cold)
        shutil.rmtree(reference.folder / f"cache-{number}")
    return [
        result(f"render.edit.{name}", f"{what}: CPU / that of a cold render", shares[name], goal=f"<= {most}")
        for name, what, most, _ in edits
    ]


def _with(film: Timeline, kind: type, change: Callable[[Any], Any]) -> Timeline:
    tracks = [track.model_copy(update={"clips": change(track.clips)}) if isinstance(track, kind) else track
              for track in film.tracks]  # fmt: skip
    return film.model_copy(update={"tracks": tracks})


def _another_word(film: Timeline) -> Timeline:
    def change(clips: list[Any]) -> list[Any]:
        middle = clips[len(clips) // 2]
        words = [middle.words[0].model_copy(update={"text": "Other"}), *middle.words[1:]]
        text = " ".join(word.text for word in words)
        return [clip.model_copy(update={"words": words, "text": text}) if clip is middle else clip for clip in clips]

    return _with(film, CaptionTrack, change)


def _another_move(film: Timeline) -> Timeline:
    def change(clips: list[Any]) -> list[Any]:
        moved = clips[SCENE].model_copy(update={"motion": Motion(kind="orbit")})
        return [*clips[:SCENE], moved, *clips[SCENE + 1 :]]

    return _with(film, VideoTrack, change)


def _longer(film: Timeline) -> Timeline:
    border = film.tracks[0].clips[SCENE].start_ms + film.tracks[0].clips[SCENE].duration_ms

    def later(clips: list[Any]) -> list[Any]:
        return [_shifted(clip, 1000) if clip.start_ms >= border else clip for clip in clips]

    def scenes(clips: list[Any]) -> list[Any]:
        held = clips[SCENE].model_copy(update={"duration_ms": clips[SCENE].duration_ms + 1000})
        return [*clips[:SCENE], held, *later(clips[SCENE + 1 :])]

    longer = film.model_copy(update={"duration_ms": film.duration_ms + 1000})
    longer = _with(longer, VideoTrack, scenes)
    for kind in (OverlayTrack, CaptionTrack, AudioTrack):
        longer = _with(longer, kind, later)
    return longer


def _shifted(clip: Any, milliseconds: int) -> Any:
    words = {"words": [_shifted_word(word, milliseconds) for word in clip.words]} if hasattr(clip, "words") else {}
    return clip.model_copy(update={"start_ms": clip.start_ms + milliseconds, **words})


def _shifted_word(word: Any, milliseconds: int) -> Any:
    return word.model_copy(update={"start_ms": word.start_ms + milliseconds, "end_ms": word.end_ms + milliseconds})
