"""Faults are found all at once, and every frame has its place."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.contracts.timeline import (
    AssetSource,
    AudioClip,
    AudioTrack,
    Canvas,
    CaptionClip,
    CaptionTrack,
    ColourSource,
    Keyframe,
    Lut,
    Timeline,
    Transition,
    VideoClip,
    VideoTrack,
)
from fenta.render import cutting
from fenta.render.errors import TimelineRefused
from fenta.render.faults import faults, parsed
from fenta.render.timeline import frame_plan, grid_ms

TALL = Canvas(aspect="9:16", width=270, height=480)


def clip(name: str, start: int, duration: int, **more: Any) -> VideoClip:
    given = {"source": ColourSource(colour="#336699"), **more}
    return VideoClip(id=name, start_ms=start, duration_ms=duration, **given)


def film(*clips: VideoClip, duration: int, tracks: tuple[Any, ...] = (), fps: Any = 30) -> Timeline:
    picture = VideoTrack(id="v1", clips=list(clips))
    return Timeline(duration_ms=duration, canvases=[TALL], tracks=[picture, *tracks], fps=fps)


def codes(timeline: Timeline, canvas: Canvas = TALL, missing: str = "") -> list[str]:
    return [fault.code for fault in faults(timeline, [canvas], lambda texts: missing)]


def media(kind: Any, duration_ms: int) -> AssetSource:
    return AssetSource(asset_id="asset_1", sha256="0" * 64, media=kind, duration_ms=duration_ms)


def voice(**more: Any) -> AudioTrack:
    sound = AudioClip(id="a", start_ms=0, duration_ms=2000, source=media("audio", 1000), **more)
    return AudioTrack(id="a1", role="voice", clips=[sound])


def caption(text: str) -> CaptionTrack:
    return CaptionTrack(id="c", language="en", clips=[CaptionClip(id="c1", start_ms=0, duration_ms=500, text=text)])


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        (film(clip("a", 0, 1000), duration=1000), []),
        (film(clip("a", 0, 1000), clip("b", 900, 1100), duration=2000), ["overlap"]),
        (film(clip("a", 0, 1000), clip("b", 1500, 500), duration=2000), ["gap"]),
        (film(clip("a", 500, 500), duration=1000), ["gap"]),
        (film(clip("a", 0, 500), duration=1000), ["gap"]),
        (film(clip("a", 0, 1000), clip("b", 1000, 10), duration=1010), ["zero_length"]),
        (film(clip("a", 0, 2000), duration=1000), ["too_long"]),
        (film(clip("a", 0, 601_000), duration=601_000), ["too_long"]),
        (film(duration=1000), ["slot_empty"]),
        (film(clip("a", 0, 1000, source=media("video", 800)), duration=1000), ["source_too_short"]),
        (film(clip("a", 0, 1000, source=media("video", 1200), speed=2), duration=1000), ["source_too_short"]),
        (film(clip("a", 0, 2000), duration=2000, tracks=(voice(),)), ["source_too_short"]),
        (film(clip("a", 0, 2000), duration=2000, tracks=(voice(loop=True),)), []),
        (film(clip("a", 0, 2000), duration=2000, tracks=(caption(" "),)), ["captions_empty"]),
    ],
)
def test_each_fault_has_its_code(timeline: Timeline, expected: list[str]) -> None:
    assert codes(timeline) == expected


def test_all_faults_are_told_at_once() -> None:
    timeline = film(clip("a", 0, 1000), clip("b", 500, 10), duration=1000, tracks=(voice(loop=False), caption("")))
    wanted = {"zero_length", "overlap", "gap", "source_too_short", "captions_empty", "font_missing"}
    assert set(codes(timeline, missing="ꙮ")) == wanted


def resolved(document: Any, pointer: str) -> Any:
    """What stands at a place; the last step may be missing from a document."""
    steps = pointer.split("/")[1:]
    for step in steps[:-1]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document[int(steps[-1])] if isinstance(document, list) else document.get(steps[-1])


def test_each_fault_has_its_place_in_the_document_and_a_hint() -> None:
    late = clip("c", 900, 200, transition=Transition(kind="blur"), effects=[Lut(source=media("image", 0))])
    over = VideoTrack(id="v2", clips=[clip("b", 0, 1000), late])
    timeline = film(clip("a", 100, 500, blend="screen"), duration=1000, tracks=(over, voice(), caption("")))
    found = faults(timeline, [TALL.model_copy(update={"height": 600}), TALL], lambda texts: "")
    document = timeline.model_dump(mode="json", by_alias=True) | {"canvases": [TALL.model_dump()] * 2}
    assert len({fault.code for fault in found}) == 10
    for fault in found:
        resolved(document, fault.pointer)
        assert fault.hint
        assert fault.hint.endswith(".")
    places = {fault.code: fault.pointer for fault in found}
    assert places["overlap"] == "/tracks/1/clips/1/start_ms"
    assert places["lut_missing"] == "/tracks/1/clips/1/effects/0/source"
    assert places["source_too_short"] == "/tracks/2/clips/0/source"


def test_what_is_too_much_is_refused_with_the_limit() -> None:
    many = film(*(clip(f"c{at}", at, 1) for at in range(2001)), duration=2001, fps=60)
    (fault,) = (fault for fault in faults(many, [TALL], lambda texts: "") if fault.code == "too_many_clips")
    assert "2000 is the limit" in fault.message
    crowd = [VideoTrack(id=f"v{number}", clips=[clip("b", 500, 500)]) for number in range(24)]
    full = film(clip("a", 0, 1000), duration=1000, tracks=tuple(crowd))
    huge = Canvas(aspect="9:16", width=2160, height=3840)
    assert codes(full) == []
    (fault,) = faults(full, [huge], lambda texts: "")
    assert (fault.code, fault.pointer) == ("too_much_memory", "/tracks/24/clips/0")
    assert codes(full, Canvas(aspect="9:16", width=4320, height=7680))[0] == "too_many_pixels"


def refused(document: Any) -> list[str]:
    with pytest.raises(TimelineRefused) as caught:
        parsed(document)
    assert {fault.code for fault in caught.value.faults} == {"input_invalid"}
    return [fault.message for fault in caught.value.faults]


def test_unknown_words_are_refused_with_their_places_and_those_that_are_known() -> None:
    document = film(clip("a", 0, 1000), clip("b", 1000, 1000), duration=2000).model_dump(mode="json", by_alias=True)
    second = document["tracks"][0]["clips"][1]
    second |= {"transition": {"kind": "explode"}, "motion": {"kind": "spin"}, "blend": "glow", "x": "left"}
    second |= {"effects": [{"kind": "sparkle"}], "keyframes": {"skew": [{"at_ms": 0, "value": 1}]}}
    messages = refused(document)
    place = "/tracks/0/clips/1"
    found = {
        field: next(text for text in messages if text.startswith(f"{place}/{field}"))
        for field in ("transition/kind", "motion/kind", "blend", "x", "effects/0", "keyframes/skew")
    }
    assert len(messages) == len(found)
    assert "'circle_open'" in found["transition/kind"]
    assert "'push_in'" in found["motion/kind"]
    assert "'multiply'" in found["blend"]
    assert "'chroma_key'" in found["effects/0"]
    assert "'rotation_degrees'" in found["keyframes/skew"]


def test_what_is_missing_has_a_place_too() -> None:
    document = film(clip("a", 0, 1000), duration=1000).model_dump(mode="json", by_alias=True)
    del document["tracks"][0]["clips"][0]["source"]
    (message,) = refused(document)
    assert message.startswith("/tracks/0/clips/0/source: ")
    assert refused(b"{") == ["The timeline is not JSON."]


def test_an_older_document_means_what_it_meant() -> None:
    """Written before clips could be placed, blended and keyed."""
    older = {
        "schema": "fenta.timeline/1", "duration_ms": 1000,
        "canvases": [{"aspect": "9:16", "width": 270, "height": 480}],
        "tracks": [{"kind": "video", "id": "v1", "clips": [{
            "id": "a", "start_ms": 0, "duration_ms": 1000, "source": {"kind": "colour", "colour": "#336699"},
            "motion": {"kind": "ken_burns", "from": 1.0, "to": 1.2, "easing": "ease_in_out"},
            "transition": {"kind": "slide", "duration_ms": 300}}]}],
    }  # fmt: skip
    timeline = parsed(older)
    assert codes(timeline) == []
    (shot,) = frame_plan(timeline, TALL).shots
    assert shot.fills
    assert shot.moves


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({}, {"start_ms": 300, "duration_ms": 200, "blend": "screen", "scale": 0.5}, []),
        ({}, {"duration_ms": 1500}, ["too_long"]),
        ({"blend": "multiply"}, {}, ["blend_below"]),
        ({}, {"transition": Transition(kind="blur")}, ["transition_above"]),
        ({}, {"keyframes": {"x": [Keyframe(at_ms=9, value=1), Keyframe(at_ms=9, value=0)]}}, ["keyframes_unordered"]),
        ({"effects": [Lut(source=media("image", 0))]}, {}, ["lut_missing"]),
    ],
)
def test_clips_over_others_have_faults_of_their_own(below: Any, above: Any, expected: list[str]) -> None:
    first, second = clip("a", 0, 1000, **below), clip("b", 0, 1000).model_copy(update=above)
    timeline = film(first, duration=1000, tracks=(VideoTrack(id="v2", clips=[second]),))
    assert codes(timeline) == expected


def test_clips_of_one_upper_track_do_not_overlap_but_those_of_two_may() -> None:
    over = [VideoTrack(id=f"v{number}", clips=[clip("b", 0, 600), clip("c", 500, 500)]) for number in (2, 3)]
    timeline = film(clip("a", 0, 1000), duration=1000, tracks=tuple(over))
    assert codes(timeline) == ["overlap", "overlap"]
    plan = frame_plan(timeline, TALL)
    assert [(shot.over, shot.first) for shot in plan.view(16).over] == [(1, 0), (1, 15), (2, 0), (2, 15)]
    assert [shot.over for shot in plan.view(20).over] == [1, 2]


@pytest.mark.parametrize("canvas", [("9:16", 1080, 1080), ("16:9", 1080, 1920), ("1:1", 1080, 1200), ("4:5", 720, 720)])
def test_a_canvas_of_another_shape_than_its_aspect_is_refused(canvas: tuple[Any, int, int]) -> None:
    aspect, width, height = canvas
    wrong = Canvas(aspect=aspect, width=width, height=height)
    found = faults(film(clip("a", 0, 1000), duration=1000), [wrong], lambda texts: "")
    assert [fault.code for fault in found] == ["aspect_wrong"]
    assert found[0].message.endswith(".")


def test_an_aspect_asked_for_twice_is_refused() -> None:
    found = faults(film(clip("a", 0, 1000), duration=1000), [TALL, TALL], lambda texts: "")
    assert [fault.code for fault in found] == ["aspect_repeated"]


@pytest.mark.parametrize(
    ("aspect", "resolution", "size"),
    [
        ("9:16", "1080p", (1080, 1920)), ("16:9", "1080p", (1920, 1080)), ("1:1", "720p", (720, 720)),
        ("4:5", "1080p", (1080, 1350)), ("4:5", "540p", (540, 676)), ("16:9", "2160p", (3840, 2160)),
    ],
)  # fmt: skip
def test_a_canvas_has_the_resolution_on_its_shorter_side(aspect: Any, resolution: Any, size: tuple[int, int]) -> None:
    canvas = Canvas.of(aspect, resolution)
    assert (canvas.width, canvas.height) == size
    assert faults(film(clip("a", 0, 1000), duration=1000), [canvas], lambda texts: "") == []


@pytest.mark.parametrize(("fps", "grid"), [(24, 250), (25, 40), (30, 100), (60, 50)])
def test_the_grid_holds_whole_frames_and_centiseconds(fps: int, grid: int) -> None:
    assert grid_ms(fps) == grid


def test_a_transition_is_cut_to_half_of_the_shorter_shot() -> None:
    long = Transition(kind="crossfade", duration_ms=5000)
    plan = frame_plan(film(clip("a", 0, 2000), clip("b", 2000, 1000, transition=long), duration=3000), TALL)
    assert [shot.fade for shot in plan.shots] == [0, 15]
    assert [shot.tail for shot in plan.shots] == [15, 0]


lengths = st.lists(st.integers(1, 12), min_size=1, max_size=12)


@settings(deadline=None)
@given(lengths=lengths, fade=st.integers(0, 900), fps=st.sampled_from([24, 25, 30, 60]))
def test_every_frame_is_in_one_segment_and_shows_one_or_two_shots(lengths: list[int], fade: int, fps: int) -> None:
    plan = frame_plan(_film_of(lengths, fade, fps), TALL)
    covered = [frame for first, last in cutting.segments(plan) for frame in range(first, last)]
    assert covered == list(range(plan.frames))
    assert all(first * 100 % fps == 0 for first, _ in cutting.segments(plan))
    for frame in covered:
        view = plan.view(frame)
        owner = view.above or view.below
        assert owner.first <= frame < owner.last
        assert 0 <= view.below.position(frame) <= 1
        assert 0 < view.share <= 1


@settings(deadline=None)
@given(lengths=lengths, fade=st.integers(0, 900), fps=st.sampled_from([24, 25, 30, 60]))
def test_segments_are_neither_long_nor_short(lengths: list[int], fade: int, fps: int) -> None:
    spans = cutting.segments(frame_plan(_film_of(lengths, fade, fps), TALL))
    assert all(1 * fps <= last - first <= 3 * fps for first, last in spans)


def test_a_scene_is_cut_where_it_begins_where_it_is_seen_alone_and_in_steps_from_there() -> None:
    assert cutting.segments(frame_plan(_film_of([4, 6], 400, 30), TALL)) == [
        (0, 60), (60, 120), (120, 150), (150, 210), (210, 300)
    ]  # fmt: skip
    assert cutting.segments(frame_plan(_film_of([2, 4], 0, 30), TALL)) == [(0, 60), (60, 120), (120, 180)]


def test_scenes_that_begin_between_two_centiseconds_are_cut_just_behind() -> None:
    late = film(clip("a", 0, 2033), clip("b", 2033, 2967), duration=5000)
    assert cutting.segments(frame_plan(late, TALL)) == [(0, 63), (63, 150)]


@pytest.mark.parametrize(("minutes", "most"), [(4, 240), (5, 300), (9, 270), (60, 300)])
def test_no_film_has_very_many_segments(minutes: int, most: int) -> None:
    film_of_seconds = _film_of([1] * 60 * minutes, 0, 30)
    spans = cutting.segments(frame_plan(film_of_seconds, TALL))
    assert most // 2 < len(spans) <= most
    assert (spans[0][0], spans[-1][1]) == (0, minutes * 60 * 30)


def test_a_film_within_a_film_is_cut_less_often() -> None:
    whole = VideoClip.model_validate(
        {"id": "f", "start_ms": 0, "duration_ms": 12_000,
         "source": {"kind": "asset", "asset_id": "f", "sha256": "0" * 64, "media": "video"}}
    )  # fmt: skip
    assert cutting.segments(frame_plan(film(whole, duration=12_000), TALL)) == [(0, 120), (120, 240), (240, 360)]


def _film_of(lengths: list[int], fade: int, fps: int) -> Timeline:
    starts = [1000 * sum(lengths[:index]) for index in range(len(lengths))]
    transition = Transition(kind="slide", duration_ms=fade)
    clips = [
        clip(f"c{start}", start, 1000 * length, transition=transition)
        for start, length in zip(starts, lengths, strict=True)
    ]
    return film(*clips, duration=1000 * sum(lengths), fps=fps)
