"""Templates: documents with places to fill, compiled by a pure function; what does not compile is told all at once."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from fenta.contracts.documents import MediaRef, Script, Segment
from fenta.contracts.nodes import TimelineParams
from fenta.contracts.templates import SHIPPED, Template
from fenta.contracts.timeline import (
    Aspect,
    Canvas,
    CaptionTrack,
    ColourSource,
    LogoSource,
    OverlayClip,
    TextSource,
    Timeline,
    Transition,
    VideoClip,
)
from fenta.render import timeline as plans
from fenta.render.errors import TimelineRefused
from fenta.render.faults import covered_texts, faults
from fenta.render.interchange import from_otio, to_otio
from fenta.render.templates.bindings import Bindings
from fenta.render.templates.compiling import compile_timeline
from fenta.render.templates.shipped import FOLDER, shipped
from tests.render.media import Shelf, compiled
from tests.render.media import bindings as film_bindings
from tests.render.test_short import PICTURE, given_speech, spoken

LOGO = MediaRef(asset_id="asset_l", sha256="1" * 64)


def bindings(**changes: Any) -> Bindings:
    segments = [Segment(id=f"s{number}", content=f"Sentence {number}.") for number in (1, 2, 3)]
    script = Script(title="Why the sky is dark", segments=segments, cta="Look up")
    speech = {key: spoken(2000, ("Sentence", 0, 900), ("this", 900, 1800)) for key in ("s1", "s2", "s3", "outro")}
    return replace(Bindings(script, {"s1": PICTURE}, speech), **changes)


def template(*tracks: dict[str, Any], **more: Any) -> Template:
    base = {"kind": "video", "clips": [{"during": "shot", "look": {"source": {"$ref": "shot.source"}}}]}
    return Template.model_validate({"name": "Mine", "tracks": [base, *tracks], **more})


def overlay(**placeholder: Any) -> dict[str, Any]:
    return {"kind": "overlay", "clips": [placeholder]}


def texts(timeline: Timeline) -> list[str]:
    return [clip.text for clip in plans.overlays(timeline)]


def mistakes(given: Template, **changes: Any) -> dict[str, str]:
    with pytest.raises(TimelineRefused) as caught:
        compile_timeline(given, bindings(**changes))
    assert all(fault.hint for fault in caught.value.faults)
    return {fault.pointer: fault.code for fault in caught.value.faults}


# --- those that ship --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_each_that_ships_makes_a_film_without_faults_on_every_canvas(name: str, shelf: Shelf) -> None:
    canvases = tuple(Canvas.of(aspect, "540p") for aspect in get_args(Aspect))
    files: dict[str, Any] = {"logo": LOGO, "author": "Olbers"}
    one_scene = film_bindings(shelf, ("One word.",), title="Why the night sky is dark, and why nobody had asked")
    for given in (bindings(slots=files), one_scene, given_speech(900, 0, 12_000, captions=False)):
        timeline = compiled(replace(given, canvases=canvases), name)
        assert faults(timeline, canvases, lambda texts: "") == []
        assert covered_texts(timeline, canvases) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_film_of_a_template_survives_the_way_through_an_editor(name: str) -> None:
    timeline = compiled(bindings(slots={"logo": LOGO, "font": LOGO.model_copy(update={"sha256": "2" * 64})}), name)
    written = to_otio(timeline)
    assert from_otio(written) == timeline
    assert ("asset:asset_l" in str(written)) == (shipped(name).slot("logo") is not None)


def test_what_ships_is_what_there_are_documents_of() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SHIPPED)
    assert len({shipped(name).name for name in SHIPPED}) == len(SHIPPED) >= 9
    assert shipped("fenta/news@1") is shipped("fenta/news@1")
    with pytest.raises(KeyError):
        shipped("fenta/nothing@1")


def test_a_brand_is_seen_in_what_ships() -> None:
    usual, branded = (compiled(bindings(slots=slots), "news") for slots in ({}, {"accent": "#123456", "logo": LOGO}))
    assert (
        {clip.accent for clip in plans.overlays(branded)}
        == {"#123456"}
        != {clip.accent for clip in plans.overlays(usual)}
    )
    sources = [clip.source for clip in plans.pictures(branded)]
    assert [source.sha256 for source in sources if isinstance(source, LogoSource)] == [LOGO.sha256]
    assert not [clip for clip in plans.pictures(usual) if isinstance(clip.source, LogoSource)]


def test_a_timeline_names_its_template_by_a_name_that_is_known() -> None:
    assert TimelineParams().template == TimelineParams(template="fenta/short").template == "fenta/short@1"
    own = "tmpl_0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000@3"
    assert TimelineParams(template=own).template == own
    for wrong in ("fenta/nothing@1", "fenta/news@2", "news", own.partition("@")[0], "../short"):
        with pytest.raises(ValidationError, match="fenta/news@1"):
            TimelineParams(template=wrong)


# --- placeholders -----------------------------------------------------------------------------------------------------


def test_a_clip_for_each_scene_says_what_that_scene_says() -> None:
    line = {"style": "heading", "text": "{{scene.number}}/{{scene.count}} {{scene.text}}"}
    timeline = compile_timeline(template(overlay(during="scene", start_ms=100, look=line)), bindings())
    assert texts(timeline) == ["1/4 Sentence 1.", "2/4 Sentence 2.", "3/4 Sentence 3.", "4/4 Look up"]
    starts = [clip.start_ms for clip in plans.pictures(timeline)]
    assert [clip.start_ms - 100 for clip in plans.overlays(timeline)] == starts


def test_a_clip_lasts_as_long_as_it_says_or_as_its_span() -> None:
    spans = ({"during": "film"}, {"during": "first", "duration_ms": 500}, {"during": "last", "start_ms": 300})
    tracks = [overlay(look={"text": "{{title}}"}, **span) for span in spans]
    timeline = compile_timeline(template(*tracks), bindings())
    pictures = plans.pictures(timeline)
    found = [(clip.start_ms, clip.start_ms + clip.duration_ms) for clip in plans.overlays(timeline)]
    last = pictures[-1].start_ms + 300
    assert found == [(0, timeline.duration_ms), (0, 500), (last, timeline.duration_ms)]


def test_what_nobody_has_given_is_left_out() -> None:
    logo = {"source": {"kind": "logo", "asset_id": {"$ref": "slots.logo.asset_id"}, "sha256": "0" * 64}}
    empty = {"source": {"kind": "text", "text": "{{slots.claim}}"}}
    given = template(
        {"kind": "video", "clips": [{"look": logo}, {"look": empty}]},
        overlay(look={"text": "{{slots.claim}}"}),
        overlay(look={"text": "", "style": "progress"}),
        slots=[{"key": "logo", "accepts": "image"}, {"key": "claim", "accepts": "text"}],
    )
    timeline = compile_timeline(given, bindings())
    assert len(plans.pictures(timeline)) == 4
    assert [clip.style for clip in plans.overlays(timeline)] == ["progress"]
    full = compile_timeline(given, bindings(slots={"logo": LOGO, "claim": "Better"}))
    kinds = {type(clip.source) for clip in plans.pictures(full)}
    assert kinds >= {LogoSource, TextSource}
    assert texts(full) == ["Better", ""]


def test_a_slot_has_its_default_and_must_be_filled_where_it_says_so() -> None:
    paint = {"kind": "video", "clips": [{"look": {"source": {"kind": "colour", "colour": {"$ref": "slots.paint"}}}}]}
    given = template(paint, slots=[{"key": "paint", "accepts": "colour", "default": "#111111"}])
    for slots, colour in (({}, "#111111"), ({"paint": "#222222"}, "#222222"), ({"other": "#333333"}, "#111111")):
        source = plans.pictures(compile_timeline(given, bindings(slots=slots)))[-1].source
        assert source == ColourSource(colour=colour)
    strange = template(paint, slots=[{"key": "paint", "accepts": "colour"}, {"key": "sign", "accepts": "image"}])
    found = {"/slots/0": "slot_invalid", "/slots/1": "slot_invalid"}
    assert mistakes(strange, slots={"paint": "red", "sign": "words"}) == found
    required = template(paint, slots=[{"key": "paint", "accepts": "colour", "required": True}])
    assert mistakes(required) == {"/slots/0": "slot_empty"}


def test_what_is_inserted_is_never_read_again() -> None:
    tricky = bindings(title="{{scene.text}} {{slots.x}}")
    timeline = compile_timeline(template(overlay(look={"text": "{{title}}"})), tricky)
    assert texts(timeline) == ["{{scene.text}} {{slots.x}}"]


def test_long_texts_are_cut_to_what_an_overlay_takes() -> None:
    long = bindings(script=Script(title="x", segments=[Segment(id="s1", content="word " * 400)]))
    (text,) = texts(compile_timeline(template(overlay(during="scene", look={"text": "{{scene.text}}"})), long))
    assert len(text) <= 500


def test_captions_and_rules_are_the_template_s_until_somebody_asks_for_others() -> None:
    look = {"style": "box", "accent": {"$ref": "slots.accent"}, "centre_y": 0.5, "shade": False}
    given = template(
        captions=look,
        slots=[{"key": "accent", "accepts": "colour", "default": "#ABCDEF"}],
        rules={"transitions": [{"kind": "blur", "duration_ms": 300}, {"kind": "cut"}], "moves": ["drift"]},
    )
    track, pictures = (
        _captions(compile_timeline(given, bindings())),
        plans.pictures(compile_timeline(given, bindings())),
    )
    assert (track.style, track.accent, track.centre_y, track.shade) == ("box", "#ABCDEF", 0.5, False)
    assert [clip.transition and clip.transition.kind for clip in pictures] == [None, "blur", None, "blur"]
    assert {clip.motion.kind for clip in pictures} == {"drift"}
    asked = bindings(caption_style="pop", accent="#000000", centre_y=0.6, transition=Transition(kind="fade"))
    track, pictures = _captions(compile_timeline(given, asked)), plans.pictures(compile_timeline(given, asked))
    assert (track.style, track.accent, track.centre_y) == ("pop", "#000000", 0.6)
    assert [clip.transition and clip.transition.kind for clip in pictures] == [None, "fade", "fade", "fade"]
    hidden = compile_timeline(template(captions={"shown": False}), bindings())
    assert plans.burned(hidden) == []
    assert _captions(hidden).clips


def _captions(timeline: Timeline) -> CaptionTrack:
    return next(track for track in timeline.tracks if isinstance(track, CaptionTrack))


def test_a_move_of_a_clip_s_own_is_kept() -> None:
    still = {"during": "shot", "look": {"source": {"$ref": "shot.source"}, "motion": {"kind": "orbit"}}}
    given = Template.model_validate({"name": "Mine", "tracks": [{"kind": "video", "clips": [still]}]})
    assert {clip.motion.kind for clip in plans.pictures(compile_timeline(given, bindings()))} == {"orbit"}


# --- what does not compile --------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_at_once_with_its_place() -> None:
    given = template(
        overlay(during="scene", look={"text": "x", "style": "huge", "collour": "#FFFFFF"}),
        {"kind": "video", "clips": [{"look": {"source": {"kind": "shape", "width": 9}}}, {"look": {}}]},
        captions={"accent": {"$ref": "slots.motto"}},
        slots=[{"key": "motto", "accepts": "text", "default": "red"}],
    )
    found = mistakes(given)
    assert found == {
        "/tracks/1/clips/0/look/style": "input_invalid",
        "/tracks/1/clips/0/look/collour": "unknown_field",
        "/tracks/2/clips/0/look/source/width": "input_invalid",
        "/tracks/2/clips/1/look/source": "input_invalid",
        "/captions/accent": "input_invalid",
    }
    with pytest.raises(TimelineRefused) as caught:
        compile_timeline(given, bindings())
    (strange,) = (fault for fault in caught.value.faults if fault.code == "unknown_field")
    assert strange.hint == "Did you mean colour?"


def test_the_same_bindings_give_the_same_timeline(shelf: Shelf) -> None:
    for name in SHIPPED:
        one, other = (compiled(film_bindings(shelf), name) for _ in range(2))
        assert one == other
        ids = [clip.id for track in one.tracks for clip in track.clips]
        assert len(ids) == len(set(ids))
        assert all(isinstance(clip, VideoClip | OverlayClip) or clip.id for track in one.tracks for clip in track.clips)
