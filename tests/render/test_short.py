"""`fenta/short@1` compiled: what lies where, and how the film comes near its target."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.contracts.documents import MediaRef, Speech, Subtitles, Word
from fenta.contracts.timeline import AudioTrack, CaptionTrack, Timeline
from fenta.render import timeline as plans
from fenta.render.errors import RenderRefused
from fenta.render.faults import faults
from fenta.render.templates.bindings import Bindings, Visual
from tests.render.media import Shelf, bindings, compiled, script

PICTURE = Visual(MediaRef(asset_id="asset_p", sha256="p" * 64))


def spoken(duration_ms: int, *words: tuple[str, int, int]) -> Speech:
    return Speech(
        audio=MediaRef(asset_id="asset_v", sha256="v" * 64),
        text=" ".join(word for word, _, _ in words),
        words=[Word(text=text, start_ms=start, end_ms=end) for text, start, end in words],
        language="en",
        voice="test",
        duration_ms=duration_ms,
    )


def given_speech(*durations: int, **changes: object) -> Bindings:
    speech = {f"s{number}": spoken(duration) for number, duration in enumerate(durations, start=1) if duration}
    texts = ["…"] * len(durations)
    return replace(Bindings(script(texts), {"s1": PICTURE}, speech), **changes)  # type: ignore[arg-type]


def voice(timeline: Timeline) -> AudioTrack:
    return next(track for track in plans.sounds(timeline) if track.role == "voice")


def test_a_scene_lasts_its_speech_and_the_gap_rounded_up_to_the_grid() -> None:
    timeline = compiled(given_speech(3000, 4010, 2500))
    assert [clip.duration_ms for clip in plans.pictures(timeline)] == [3300, 4300, 4200]
    assert timeline.duration_ms == 3300 + 4300 + 4200


def test_a_scene_without_speech_lasts_the_shortest_time() -> None:
    assert plans.pictures(compiled(given_speech(0, 2000)))[0].duration_ms == 1500


def test_voices_lie_inside_their_scenes() -> None:
    timeline = compiled(given_speech(3000, 4000))
    scenes = {clip.scene: clip for clip in plans.pictures(timeline)}
    for clip in voice(timeline).clips:
        scene = scenes[clip.scene]
        assert scene.start_ms <= clip.start_ms
        assert clip.start_ms + clip.duration_ms <= scene.start_ms + scene.duration_ms


@pytest.mark.parametrize(
    ("durations", "low", "high"),
    [
        ((3500, 4500, 4500, 4500, 4000), 25_000, 30_000),
        ((4500, 5000, 5000, 5000, 5000), 25_000, 30_000),
        ((5500, 6000, 6000, 6000, 5000), 28_500, 30_000),
        ((9000, 9000, 9000, 9000), 36_000, 37_500),
        ((1000, 1000), 3000, 10_000),
    ],
)
def test_the_film_comes_as_near_to_its_target_as_the_speech_allows(
    durations: tuple[int, ...], low: int, high: int
) -> None:
    assert low <= compiled(given_speech(*durations, target_ms=30_000)).duration_ms <= high


def test_captions_move_with_their_speech(shelf: Shelf) -> None:
    timeline = compiled(bindings(shelf))
    starts = {clip.scene: clip.start_ms for clip in voice(timeline).clips}
    track = plans.captions(timeline)
    assert track is not None
    firsts = [clip for clip in track.clips if clip.id.endswith(".1")]
    assert [clip.start_ms for clip in firsts] == [starts[clip.scene] for clip in firsts]
    assert all(clip.words[0].start_ms == clip.start_ms for clip in firsts)


def test_captions_are_made_from_the_words_when_none_are_given() -> None:
    speech = spoken(2000, ("Nobody", 0, 400), ("expects", 400, 900), ("this", 900, 1500))
    timeline = compiled(Bindings(script(["…"]), {"s1": PICTURE}, {"s1": speech}))
    track = plans.captions(timeline)
    assert track is not None
    assert [clip.text for clip in track.clips] == ["Nobody expects this"]


def test_empty_captions_are_kept_so_that_they_are_refused(shelf: Shelf) -> None:
    empty = {key: Subtitles(cues=[], language="en") for key in ("s1", "s2", "s3")}
    timeline = compiled(bindings(shelf, subtitles=empty))
    found = faults(timeline, timeline.canvases, lambda texts: "")
    assert [fault.code for fault in found] == ["captions_empty"]


def test_captions_that_are_off_are_still_there_for_the_sidecars(shelf: Shelf) -> None:
    timeline = compiled(bindings(shelf, captions=False))
    track = next(track for track in timeline.tracks if isinstance(track, CaptionTrack))
    assert track.clips
    assert plans.burned(timeline) == []


def test_the_title_opens_and_the_call_to_action_closes(shelf: Shelf) -> None:
    texts = ("One.", "Two.")
    timeline = compiled(bindings(shelf, texts, script=script(texts, title="Dark", cta="Follow us"), title=""))
    first, last = plans.overlays(timeline)
    assert (first.text, first.style, first.start_ms) == ("Dark", "title", 0)
    assert (last.text, last.detail, last.style) == ("Dark", "Follow us", "end_card")
    assert last.start_ms + last.duration_ms == timeline.duration_ms


def test_music_runs_under_everything_and_steps_back(shelf: Shelf) -> None:
    timeline = compiled(bindings(shelf))
    music = next(track for track in plans.sounds(timeline) if track.role == "music")
    assert music.duck is not None
    assert music.duck.db <= -12
    assert (music.clips[0].start_ms, music.clips[0].duration_ms, music.clips[0].loop) == (0, timeline.duration_ms, True)


def test_several_shots_share_their_scene() -> None:
    other = Visual(MediaRef(asset_id="asset_q", sha256="q" * 64))
    visuals = {"s1.1": PICTURE, "s1.2": other, "s2": PICTURE}
    given_two = given_speech(4000, 2000)
    clips = plans.pictures(compiled(replace(given_two, visuals=visuals)))
    assert [(clip.id, clip.scene) for clip in clips] == [("v_s1.1", "s1"), ("v_s1.2", "s1"), ("v_s2", "s2")]
    assert clips[0].duration_ms == pytest.approx(clips[1].duration_ms, abs=100)


def test_a_scene_without_a_picture_shows_the_one_before() -> None:
    other = Visual(MediaRef(asset_id="asset_q", sha256="q" * 64))
    clips = plans.pictures(compiled(given_speech(2000, 2000, 2000, visuals={"s2": other})))
    assert [clip.source.asset_id for clip in clips] == ["asset_q"] * 3  # type: ignore[union-attr]


def test_no_picture_at_all_is_refused() -> None:
    with pytest.raises(RenderRefused) as caught:
        compiled(given_speech(2000, visuals={}))
    assert caught.value.code == "slot_empty"


def test_neighbouring_shots_move_differently() -> None:
    clips = plans.pictures(compiled(given_speech(*[3000] * 9)))
    assert all(before.motion != after.motion for before, after in pairwise(clips))


durations_ms = st.lists(st.integers(0, 12_000), min_size=1, max_size=12).filter(any)


@settings(deadline=None, max_examples=60)
@given(
    durations=durations_ms,
    target=st.none() | st.integers(3_000, 90_000),
    fps=st.sampled_from([24, 25, 30, 60]),
    gap=st.integers(0, 800),
)
def test_any_speech_gives_a_timeline_without_faults(
    durations: list[int], target: int | None, fps: int, gap: int
) -> None:
    timeline = compiled(given_speech(*durations, target_ms=target, fps=fps, gap_ms=gap))
    assert faults(timeline, timeline.canvases, lambda texts: "") == _only_captions(timeline)
    starts = [clip.start_ms for clip in plans.pictures(timeline)]
    assert all(start % 10 == 0 and start * fps % 1000 == 0 for start in starts)
    assert sum(durations) <= timeline.duration_ms
    assert timeline == compiled(given_speech(*durations, target_ms=target, fps=fps, gap_ms=gap))


def _only_captions(timeline: Timeline) -> list[object]:
    # The speech of these films has no words.
    return [fault for fault in faults(timeline, timeline.canvases, lambda texts: "") if fault.code == "captions_empty"]


def test_nothing_of_this_machine_is_in_a_timeline(shelf: Shelf, tmp_path: Path) -> None:
    assert str(tmp_path) not in compiled(bindings(shelf)).model_dump_json()
