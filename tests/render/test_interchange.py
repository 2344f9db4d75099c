"""OpenTimelineIO: the official library opens what we write, and what we read back is what we had."""

import opentimelineio as otio
import pytest

from fenta.contracts.timeline import AudioTrack, Timeline, Transition, VideoTrack
from fenta.render.errors import RenderRefused, TimelineRefused
from fenta.render.faults import parsed
from fenta.render.interchange import from_otio, to_otio
from tests.render.media import Shelf, timeline


@pytest.fixture
def film(shelf: Shelf) -> Timeline:
    """With a transition, a speed, and two effects that sound at once."""
    made = timeline(shelf)
    first, second, *others = made.tracks[0].clips
    second = second.model_copy(update={"transition": Transition(kind="whip_left", duration_ms=200), "speed": 1.5})
    voice = next(track for track in made.tracks if isinstance(track, AudioTrack))
    splash = voice.clips[0].model_copy(update={"id": "fx1", "start_ms": 500})
    effects = AudioTrack(id="fx", role="effects", clips=[splash, splash.model_copy(update={"id": "fx2"})])
    pictures = made.tracks[0].model_copy(update={"clips": [first, second, *others]})
    return made.model_copy(update={"tracks": [pictures, *made.tracks[1:], effects]})


def opened(film: Timeline) -> otio.schema.Timeline:
    return otio.adapters.read_from_string(to_otio(film), "otio_json")


def test_nothing_is_lost_on_the_way_there_and_back(film: Timeline) -> None:
    assert from_otio(to_otio(film)) == film


def test_the_library_sees_clips_where_they_are(film: Timeline) -> None:
    found, pictures = opened(film), film.tracks[0]
    assert isinstance(pictures, VideoTrack)
    placed = [clip.range_in_parent() for clip in found.tracks[0] if isinstance(clip, otio.schema.Clip)]
    starts = [round(place.start_time.to_seconds() * 1000) for place in placed]
    assert starts == [clip.start_ms for clip in pictures.clips]
    assert round(found.duration().to_seconds() * 1000) == film.duration_ms
    assert found.tracks[0][0].media_reference.target_url == f"asset:{pictures.clips[0].source.asset_id}"


def test_transitions_and_speeds_are_the_librarys_own(film: Timeline) -> None:
    track = opened(film).tracks[0]
    changes = [item for item in track if isinstance(item, otio.schema.Transition)]
    assert changes[0].name == "whip_left"
    assert changes[0].out_offset.to_seconds() == pytest.approx(0.2)
    second = [item for item in track if isinstance(item, otio.schema.Clip)][1]
    assert second.effects[0].time_scalar == 1.5


def test_sounds_at_once_lie_on_two_tracks_there_and_on_one_here(film: Timeline) -> None:
    there = opened(film)
    rows = [track for track in there.tracks if track.name == "fx"]
    assert [len(row.find_clips()) for row in rows] == [1, 1]
    assert len(from_otio(to_otio(film)).tracks) == len(film.tracks)


def test_what_an_editor_shortened_comes_back_short(film: Timeline) -> None:
    there = opened(film)
    last = there.tracks[0].find_clips()[-1]
    span = last.source_range
    last.source_range = otio.opentime.TimeRange(span.start_time, otio.opentime.RationalTime(700, 1000))
    back = from_otio(there.to_json_string())
    assert back.tracks[0].clips[-1].duration_ms == 700
    assert back.tracks[0].clips[:-1] == film.tracks[0].clips[:-1]


def test_a_render_takes_what_another_editor_has_saved(film: Timeline) -> None:
    assert parsed(to_otio(film).encode()) == film
    with pytest.raises(TimelineRefused, match="no timeline that Fenta has written"):
        parsed(otio.schema.Timeline("of others").to_json_string().encode())


@pytest.mark.parametrize("text", ["", "{}", "[1]", otio.schema.Timeline("of others").to_json_string()])
def test_what_others_wrote_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(RenderRefused, match="no timeline that Fenta has written"):
        from_otio(text)
