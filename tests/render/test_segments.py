"""Finished segments are found again: by what sets their pixels, by nothing else, and never at the price of a film."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fenta.chassis.errors import Unavailable
from fenta.chassis.storage import Storage
from fenta.contracts.timeline import AudioTrack, Canvas, CaptionTrack, Motion, OverlayTrack, Timeline, VideoTrack
from fenta.render import cutting, segments
from fenta.render.cache import SegmentCache
from fenta.render.captions.burn import burn
from fenta.render.engine import Rendered, render
from fenta.render.models import Piece
from fenta.render.repository import Pieces
from fenta.render.timeline import frame_plan
from tests.render.media import SMALL, Shelf, timeline
from tests.render.service_parts import Parts

TEXTS = tuple(f"Scene {number} has a few words to say, and they take their own time." for number in range(4))


def keys(document: Timeline, canvas: Canvas = SMALL) -> list[str]:
    text = burn(frame_plan(document, canvas))
    return [segments.key(text, span) for span in cutting.segments(text.plan)]


def changed(document: Timeline, kind: type[Any], **fields: Any) -> Timeline:
    """With other values in the first clip of the tracks of a kind."""
    tracks = []
    for track in document.tracks:
        first, *others = track.clips if isinstance(track, kind) else [None]
        clips = {"clips": [first.model_copy(update=fields), *others]} if first else {}
        tracks.append(track.model_copy(update=clips))
    return document.model_copy(update={"tracks": tracks})


def places_changed(before: Sequence[str], after: Sequence[str]) -> list[int]:
    return [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


@pytest.fixture
def document(shelf: Shelf) -> Timeline:
    return timeline(shelf, TEXTS)


def test_the_film_has_several_segments(document: Timeline) -> None:
    assert len(keys(document)) >= 4
    assert len(set(keys(document))) == len(keys(document))


def test_one_caption_word_changes_one_segment(document: Timeline) -> None:
    edited = changed(document, CaptionTrack, text="Scene 9 has a few", words=[])
    assert places_changed(keys(document), keys(edited)) == [0]


def test_one_camera_changes_the_segments_that_show_it(document: Timeline) -> None:
    track = next(track for track in document.tracks if isinstance(track, VideoTrack))
    moved = track.clips[0].motion.model_copy(update={"to_zoom": 1.5})
    edited = changed(document, VideoTrack, motion=moved)
    assert 0 in places_changed(keys(document), keys(edited))
    assert places_changed(keys(document), keys(edited)) != list(range(len(keys(document))))


def test_the_title_changes_only_the_beginning(document: Timeline) -> None:
    edited = changed(document, OverlayTrack, text="Another title")
    assert places_changed(keys(document), keys(edited)) == [0, 1]


def test_a_longer_scene_leaves_the_later_ones_as_they_are(document: Timeline) -> None:
    later = _shifted(document, after_ms=document.duration_ms // 2, by_ms=1000)
    assert len(set(keys(document)) & set(keys(later))) >= 2


def _shifted(document: Timeline, *, after_ms: int, by_ms: int) -> Timeline:
    """The scene that is seen at that moment lasts longer, and everything behind it comes later."""

    def moved(clip: Any) -> Any:
        if clip.start_ms > after_ms:
            words = [
                word.model_copy(update={"start_ms": word.start_ms + by_ms, "end_ms": word.end_ms + by_ms})
                for word in getattr(clip, "words", [])
            ]
            return clip.model_copy(update={"start_ms": clip.start_ms + by_ms} | ({"words": words} if words else {}))
        over = clip.start_ms + clip.duration_ms > after_ms and hasattr(clip, "motion")
        return clip.model_copy(update={"duration_ms": clip.duration_ms + by_ms}) if over else clip

    tracks = [track.model_copy(update={"clips": [moved(clip) for clip in track.clips]}) for track in document.tracks]
    return document.model_copy(update={"tracks": tracks, "duration_ms": document.duration_ms + by_ms})


def test_names_change_nothing(document: Timeline) -> None:
    named = changed(document, VideoTrack, id="other", scene="other")
    assert keys(named) == keys(document)


def test_fonts_programs_and_the_size_change_everything(document: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(document)
    larger = SMALL.model_copy(update={"width": 540, "height": 960})
    assert not set(before) & set(keys(document, larger))
    monkeypatch.setattr(segments, "_fonts", lambda: "another font")
    fonts = keys(document)
    monkeypatch.setattr(segments, "_programs", lambda: ["another ffmpeg"])
    assert len({*before, *fonts, *keys(document)}) == 3 * len(before)


def side_keys(document: Timeline) -> list[str]:
    plan = frame_plan(document, SMALL)
    return [segments.sound_key(plan), segments.thumbnail_key(plan, "sharpness", "None")]


def test_what_is_heard_and_not_seen_changes_the_sound_alone(document: Timeline) -> None:
    quieter = changed(document, AudioTrack, gain_db=-3)
    assert keys(quieter) == keys(document)
    assert places_changed(side_keys(document), side_keys(quieter)) == [0]


def test_words_change_neither_sound_nor_thumbnail_and_pictures_only_the_thumbnail(document: Timeline) -> None:
    assert side_keys(changed(document, CaptionTrack, text="Another line", words=[])) == side_keys(document)
    moved = changed(document, VideoTrack, motion=Motion(kind="orbit"))
    assert places_changed(side_keys(document), side_keys(moved)) == [1]
    assert places_changed(side_keys(document), side_keys(document.model_copy(update={"title": "Other"}))) == [1]


def test_what_comes_after_the_chosen_frames_leaves_the_thumbnail(shelf: Shelf) -> None:
    texts = (*TEXTS, *TEXTS)
    long, longer = timeline(shelf, texts), timeline(shelf, [*texts[:-1], f"{texts[-1]} And on it goes."])
    assert places_changed(side_keys(long), side_keys(longer)) == [0]
    assert side_keys(long)[1] != side_keys(timeline(shelf, ["Another beginning.", *texts[1:]]))[1]


def test_a_film_that_is_heard_is_a_part_of_the_sound(document: Timeline) -> None:
    heard = changed(document, VideoTrack, gain_db=-6)
    assert keys(heard) == keys(document)
    assert places_changed(side_keys(document), side_keys(heard))[0] == 0


def test_what_draws_is_not_loaded_before_something_is_drawn() -> None:
    """A film without a change is planned and joined by a worker that starts quickly."""
    program = "import sys, fenta.render.worker; print(*({'cv2', 'numpy', 'opentimelineio'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []


class Shelved:
    """A cache in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seen: dict[str, Any] = {}
        self.made: list[str] = []
        self.spoiled: set[str] = set()

    async def find(self, keys: Sequence[str]) -> dict[str, Any]:
        return {key: self.seen[key] | {"paid": True} for key in keys if key in self.seen}

    async def fetch(self, key: str, path: Path) -> bool:
        if key in self.spoiled:
            return False
        shutil.copy(self._folder / key, path)
        return True

    async def keep(self, key: str, path: Path, seen: Any) -> None:
        self.made.append(key)
        self.seen[key] = seen
        shutil.copy(path, self._folder / key)

    async def forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.seen.pop(key, None)


async def made(
    document: Timeline, shelf: Shelf, folder: Path, cache: Shelved, told: list[int] | None = None
) -> Rendered:
    def tell(done: int, total: int) -> None:
        if told is not None:
            told.append(done)

    return await render(
        document, sources=shelf.files, canvases=[SMALL], folder=folder, cache=cache, on_progress=tell, workers=2
    )


async def test_an_edit_makes_only_what_it_changes_and_the_film_is_as_if_made_anew(
    document: Timeline, shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    cache = Shelved(tmp_path / "cache")
    first = await made(document, shelf, tmp_path / "first", cache)
    assert sorted(cache.made) == sorted([*keys(document), *side_keys(document)])
    assert first.free_frames == 0

    cache.made.clear()
    again = await made(document, shelf, tmp_path / "again", cache)
    assert cache.made == []
    assert again.films[0].video.read_bytes() == first.films[0].video.read_bytes()
    assert again.films[0].thumbnail.read_bytes() == first.films[0].thumbnail.read_bytes()
    assert (again.loudness_lufs, again.true_peak_db) == (first.loudness_lufs, first.true_peak_db)
    assert (again.encoded_ms, again.cached_ms) == (0, first.encoded_ms)

    edited = changed(document, CaptionTrack, text="Scene 9 has a few", words=[])
    told: list[int] = []
    part = await made(edited, shelf, tmp_path / "edited", cache, told)
    whole = await render(edited, sources=shelf.files, canvases=[SMALL], folder=tmp_path / "whole")
    assert cache.made == [keys(edited)[0]]
    assert part.films[0].video.read_bytes() == whole.films[0].video.read_bytes()
    assert part.encoded_ms + part.cached_ms == whole.encoded_ms
    assert told == sorted(told)
    assert told[0] > part.films[0].frames // 2

    cache.made.clear()
    cache.spoiled = set(keys(edited)[:2])
    mended = await made(edited, shelf, tmp_path / "mended", cache)
    assert sorted(cache.made) == sorted(keys(edited)[:2])
    assert mended.films[0].video.read_bytes() == whole.films[0].video.read_bytes()


# --- the service's own ------------------------------------------------------------------------------------------------


def cache_of(parts: Parts, *, most_bytes: int = 1 << 20, org_id: str | None = None) -> SegmentCache:
    return SegmentCache(parts.database, parts.storage, org_id=org_id or parts.org_id, most_bytes=most_bytes)


async def kept(cache: SegmentCache, folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.write_bytes(name.encode() * 100)
        await cache.keep(name, path, {"frames": 5})


async def test_what_was_kept_is_found_by_its_organisation_alone(parts: Parts, tmp_path: Path) -> None:
    await kept(cache_of(parts), tmp_path, "aaaa", "bbbb")

    assert await cache_of(parts).find(["aaaa", "cccc"]) == {"aaaa": {"frames": 5, "paid": False}}
    assert await cache_of(parts, org_id="org_other").find(["aaaa"]) == {}
    cache = cache_of(parts)
    await cache.find(["bbbb"])
    assert await cache.fetch("bbbb", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"bbbb" * 100


async def test_it_is_paid_for_with_the_transaction_that_says_so(parts: Parts, tmp_path: Path) -> None:
    cache = cache_of(parts)
    await kept(cache, tmp_path, "aaaa", "bbbb")
    async with parts.database.transaction() as session:
        await cache.settle(session, ["aaaa"])

    found = await cache.find(["aaaa", "bbbb"])
    assert (found["aaaa"]["paid"], found["bbbb"]["paid"]) == (True, False)
    await kept(cache, tmp_path, "aaaa")
    assert (await cache.find(["aaaa"]))["aaaa"]["paid"]


async def test_the_least_used_go_first(parts: Parts, tmp_path: Path) -> None:
    cache = cache_of(parts, most_bytes=900)
    await kept(cache, tmp_path, "aaaa", "bbbb", "cccc")
    await cache.find(["aaaa"])
    await cache.trim()

    assert set(await cache.find(["aaaa", "bbbb", "cccc"])) == {"aaaa", "cccc"}
    other = cache_of(parts)
    await other.find(["aaaa"])
    assert await other.fetch("aaaa", tmp_path / "copy")


async def test_what_is_gone_or_spoiled_is_forgotten(parts: Parts, tmp_path: Path) -> None:
    cache = cache_of(parts)
    await kept(cache, tmp_path, "aaaa", "bbbb")
    await parts.storage.drop_cached(f"{parts.org_id}/aaaa")
    (tmp_path / "wrong").write_bytes(b"something else")
    await parts.storage.put_cached(f"{parts.org_id}/bbbb", tmp_path / "wrong")
    await cache.find(["aaaa", "bbbb"])

    assert [await cache.fetch(key, tmp_path / "copy") for key in ("aaaa", "bbbb")] == [False, False]
    assert await cache.find(["aaaa", "bbbb"]) == {}


async def test_who_dies_before_the_object_is_there_leaves_nothing_that_is_used(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as dead:
        dead.setattr(Storage, "put_cached", dying)
        with pytest.raises(SystemExit):
            await kept(cache_of(parts), tmp_path, "aaaa")

    cache = cache_of(parts)
    assert set(await cache.find(["aaaa"])) == {"aaaa"}
    assert not await cache.fetch("aaaa", tmp_path / "copy")
    assert await cache.find(["aaaa"]) == {}


async def test_who_dies_while_room_is_made_leaves_no_object_that_nobody_knows_of(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(parts, most_bytes=1)
    await kept(cache, tmp_path, "aaaa", "bbbb")
    dropped = Storage.drop_cached

    async def dying(storage: Storage, name: str) -> None:
        await dropped(storage, name)
        raise SystemExit

    with monkeypatch.context() as dead:
        dead.setattr(Storage, "drop_cached", dying)
        with pytest.raises(SystemExit):
            await cache.trim()
    assert set(await cache.find(["aaaa", "bbbb"])) == {"aaaa", "bbbb"}
    await cache.trim()
    assert await cache.find(["aaaa", "bbbb"]) == {}


async def test_what_a_store_that_is_away_did_not_take_is_not_known(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(parts)
    await kept(cache, tmp_path, "aaaa")
    await cache.find(["aaaa"])

    async def away(*_: Any) -> None:
        raise Unavailable("object storage")

    for name in ("put_cached", "fetch_cached", "drop_cached"):
        monkeypatch.setattr(Storage, name, away)
    with pytest.raises(Unavailable):
        await kept(cache, tmp_path, "bbbb")
    assert not await cache.fetch("aaaa", tmp_path / "copy")
    await cache_of(parts, most_bytes=0).trim()
    assert await cache.find(["aaaa", "bbbb"]) == {}


async def test_without_room_only_what_a_render_waits_for_is_kept(parts: Parts, tmp_path: Path) -> None:
    cache = cache_of(parts, most_bytes=0)
    await kept(cache, tmp_path, "aaaa", "bbbb")
    async with parts.database.transaction() as session:
        waiting = Piece(step_id="step_x", key="aaaa", org_id=parts.org_id, task_id="seg_x")
        await Pieces(session).expect([waiting])
    await cache.trim()
    assert set(await cache.find(["aaaa", "bbbb"])) == {"aaaa"}
