"""Subtitle files come in as they are found in the world, or are refused with their first bad line."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.contracts.documents import Cue
from fenta.contracts.nodes import RenderParams
from fenta.contracts.timeline import AssetSource, Canvas, CaptionTrack, ColourSource, Timeline, VideoClip, VideoTrack
from fenta.render import sidecars
from fenta.render.engine import render
from fenta.render.errors import RenderRefused
from fenta.render.subtitles import clips, read
from tests.render.media import Shelf
from tests.render.test_captions import cue, track

SRT = "1\n00:00:00,500 --> 00:00:01,000\nOne\nline\n\n2\n00:00:01,500 --> 00:00:02,000\nTwo\n"
VTT = """WEBVTT - a title
Kind: captions

NOTE
00:00:09.000 --> 00:00:10.000
is not shown

STYLE
::cue { color: red }

intro
00:00.500 --> 00:01.000 line:0 align:start
<v Ada>One &amp; <i>line</i>

00:01.500 --> 00:02.000
Two
"""
TINY = Canvas(aspect="9:16", width=90, height=160)


def said(data: str | bytes) -> list[tuple[int, int, str]]:
    found = read(data.encode() if isinstance(data, str) else data)
    return [(cue.start_ms, cue.end_ms, cue.text) for cue in found]


@pytest.mark.parametrize(
    "data",
    [
        SRT.encode(),
        b"\xef\xbb\xbf" + SRT.encode(),
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        ("\n\n" + SRT + "\n\n\n").encode(),
        SRT.encode("utf-16"),
        SRT.replace("1\n00", "00").replace("2\n00", "00").encode(),
        SRT.replace(",", ".").replace("One", "<i>One</i>").replace("Two", r'{\an8}<font size="3">Two</font>').encode(),
        SRT.replace("00:00:01,000\n", "00:00:01,000 X1:0 X2:10\n").encode(),
    ],
)  # fmt: skip
def test_srt_is_read_as_programs_write_it(data: bytes) -> None:
    assert said(data) == [(500, 1000, "One line"), (1500, 2000, "Two")]


def test_webvtt_is_read_without_notes_styles_names_settings_and_tags() -> None:
    assert said(VTT) == [(500, 1000, "One & line"), (1500, 2000, "Two")]


def test_letters_of_older_programs_are_read() -> None:
    assert said(SRT.replace("Two", "Où ça…").encode("cp1252"))[1][2] == "Où ça…"


def test_cues_that_overlap_make_room_and_those_that_begin_together_are_one() -> None:
    both = "1\n00:00:01,000 --> 00:00:05,000\nLong\n\n2\n00:00:03,000 --> 00:00:04,000\nInside\n\n"
    assert said(both) == [(1000, 3000, "Long"), (3000, 4000, "Inside")]
    assert said(both.replace("03,", "01,")) == [(1000, 5000, "Long Inside")]
    assert said(both.replace("01,000 -->", "03,500 -->"))[0] == (3000, 3500, "Inside")


BAD = {
    "1\n00:00:01,000 -> 00:00:02,000\nOne\n": 2,
    "1\n00:00:01,000 --> 00:00:02,000\nOne\n\nTwo\n": 5,
    "1\n00:00:02,000 --> 00:00:01,000\nOne\n": 2,
    "1\n00:61:02,000 --> 00:62:01,000\nOne\n": 2,
    "1\n": 2,
    "1\n00:00:01,000 --> soon\nOne\n": 2,
    "\n\nhello there\n": 3,
    "{}": 1,
    "1\n00:00:01,000 --> 00:00:02,000\nOne\0\n": 3,
    "WEBVTT\n\nan id\n00:01 --> 00:02\nOne": 4,
}


@pytest.mark.parametrize(("text", "line"), BAD.items())
def test_a_bad_file_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(RenderRefused, match=f"^Line {line} of the subtitles: ") as caught:
        said(text)
    assert caught.value.code == "subtitles_invalid"


@pytest.mark.parametrize("data", ["", "\n", "WEBVTT\n", "1\n00:00:01,000 --> 00:00:02,000\n\n", "WEBVTT\n\nNOTE x\n"])
def test_a_file_that_says_nothing_is_refused(data: str) -> None:
    with pytest.raises(RenderRefused) as caught:
        said(data)
    assert caught.value.code == "captions_empty"


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(RenderRefused, match="larger than 5 MiB"):
        read(SRT.encode() * 100_000)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except RenderRefused:
        return
    assert all(cue.text and cue.end_ms > cue.start_ms for cue in found)


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 3_000)), min_size=1, max_size=12))
def test_cues_never_overlap_and_can_all_be_seen(times: list[tuple[int, int]]) -> None:
    blocks = [f"{_clock(at)} --> {_clock(at + length)}\nword\n" for at, length in times]
    found = read("\n".join(["WEBVTT\n", *blocks]).encode())
    assert " ".join(cue.text for cue in found).split() == ["word"] * len(times)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(found))
    assert all(cue.end_ms - cue.start_ms >= 50 for cue in found)


def _clock(milliseconds: int) -> str:
    return f"00:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def test_what_was_written_is_read_again() -> None:
    both = track(cue("Up 🚀 & <away>", start=0, end=900), cue("لماذا؟", start=1000, end=2500))
    assert said(sidecars.srt(both)) == [(0, 900, "Up 🚀 &"), (1000, 2500, "لماذا؟")]
    assert said(sidecars.vtt(both)) == [(0, 900, "Up 🚀 & <away>"), (1000, 2500, "لماذا؟")]


def test_what_lies_behind_the_end_of_the_film_is_left_out() -> None:
    found = clips([Cue(start_ms=0, end_ms=5000, text="a"), Cue(start_ms=2000, end_ms=3000, text="b")], 2000)
    assert [(clip.start_ms, clip.duration_ms) for clip in found] == [(0, 2000)]


def film_of(shelf: Shelf, text: str) -> Timeline:
    kept = shelf.keep("captions.srt", text.encode())
    source = AssetSource(asset_id=kept.asset_id, sha256=kept.sha256, media="subtitles")
    picture = VideoClip(id="v", start_ms=0, duration_ms=1000, source=ColourSource(colour="#777777"))
    tracks: list[Any] = [VideoTrack(id="v1", clips=[picture]), CaptionTrack(id="s1", language="en", source=source)]
    return Timeline(duration_ms=1000, fps=24, canvases=[TINY], tracks=tracks)


async def test_a_timeline_takes_its_captions_from_a_file(shelf: Shelf, tmp_path: Path) -> None:
    document = film_of(shelf, "1\n00:00:00,250 --> 00:00:00,750\nHello\n")
    made = await render(
        document,
        sources=shelf.files,
        canvases=[TINY],
        folder=tmp_path / "out",
        workers=1,
        params=RenderParams(sidecars=["srt", "ass"]),
    )
    assert said(made.beside["srt"].read_bytes()) == [(250, 750, "Hello")]
    assert "Dialogue: 0,0:00:00.25,0:00:00.75,Caption,,0,0,0,,Hello" in made.beside["ass"].read_text()
    with av.open(str(made.films[0].video)) as container:
        frames = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    seen = [bool((abs(frame - frames[0]) > 60).any()) for frame in frames]
    assert seen == [7 <= number < 18 for number in range(24)]


async def test_a_timeline_with_a_bad_file_is_refused_with_the_line(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(RenderRefused, match=r"^Line 1 of the subtitles"):
        await render(film_of(shelf, "so it goes"), sources=shelf.files, canvases=[TINY], folder=tmp_path / "out")
