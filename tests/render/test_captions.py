"""What other people wrote becomes safe lines of text, broken where their script allows it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.contracts.timeline import Canvas, CaptionClip, CaptionTrack, CaptionWord
from fenta.render import sidecars
from fenta.render.captions import fonts, lines
from fenta.render.captions.burn import missing_glyphs
from fenta.render.captions.glyphs import drawable
from fenta.render.captions.layout import chunks, line_text, wrap
from fenta.render.captions.text import NEVER_FIRST, NEVER_LAST, escape, is_right_to_left, plain
from fenta.render.errors import RenderRefused

TALL = Canvas(aspect="9:16", width=1080, height=1920)
WIDTH = 9.0


def cue(text: str, *, start: int = 0, end: int = 2000, words: list[tuple[str, int, int]] | None = None) -> CaptionClip:
    timed = [CaptionWord(text=word, start_ms=first, end_ms=last) for word, first, last in words or []]
    return CaptionClip(id="c", scene="s1", start_ms=start, duration_ms=end - start, text=text, words=timed)


def evenly(text: str, step: int = 200) -> CaptionClip:
    words = [(word, index * step, index * step + step) for index, word in enumerate(text.split())]
    return cue(text, end=len(words) * step, words=words)


def track(*clips: CaptionClip, style: str = "karaoke") -> CaptionTrack:
    return CaptionTrack(id="c", language="en", style=style, clips=list(clips))  # type: ignore[arg-type]


def lines_of(clip: CaptionClip, width: float = WIDTH) -> list[str]:
    found = chunks(clip, face=fonts.CAPTION, max_width=width)
    return [line_text(line) for chunk in found for line in chunk.lines]


@pytest.mark.parametrize(
    ("written", "drawn", "read"),
    [
        ("plain words", "plain words", "plain words"),
        ("  too \n many\t spaces ", "too many spaces", "too many spaces"),
        ("bell\x07 and null\x00", "bell and null", "bell and null"),
        ("\U0001d4d7ello ☐", "Hello □", "\U0001d4d7ello ☐"),
        ("می‌خواهم", "می‌خواهم", "می‌خواهم"),
        ("turned\u202eback", "turnedback", "turnedback"),
    ],
)
def test_text_is_cleaned(written: str, drawn: str, read: str) -> None:
    assert drawable(written) == drawn
    assert plain(written) == read


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        (r"{\pos(10,10)}x", "\\{\\\u2060pos(10,10)\\}x"),
        (r"C:\New \h", "C:\\\u2060New \\\u2060h"),
        ("a{b}c", r"a\{b\}c"),
    ],
)
def test_markup_of_other_people_is_text(typed: str, written: str) -> None:
    assert escape(typed) == written


@given(st.text(max_size=60))
@settings(deadline=None)
def test_no_typed_text_opens_a_tag_or_breaks_a_line(text: str) -> None:
    safe = escape(drawable(text))
    assert not re.search(r"(?<!\\)\{", safe)
    assert not re.search(r"\\[Nnh]", safe)
    assert "\n" not in safe


@given(
    st.lists(
        st.text(st.characters(codec="latin-1", categories=["L", "P"]), min_size=1, max_size=14), min_size=1, max_size=14
    )
)
def test_lines_keep_every_word_in_order(words: list[str]) -> None:
    text = " ".join(words)
    joined = " ".join(lines_of(evenly(text)))
    assert joined.replace(" ", "") == drawable(text).replace(" ", "")


def test_lines_fit_the_width_and_are_balanced() -> None:
    first, second = lines_of(evenly("The universe has an age of"))
    assert max(fonts.width(first, fonts.CAPTION), fonts.width(second, fonts.CAPTION)) <= WIDTH
    assert abs(len(first) - len(second)) < 6


SMALL_WORDS = ["the", "a", "of", "and", "in", "it", "was", "for", "on", "that", "with", "they", "have", "number"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(SMALL_WORDS), min_size=4, max_size=22))
def test_no_small_word_stands_alone(words: list[str]) -> None:
    found = chunks(evenly(" ".join(words)), face=fonts.CAPTION, max_width=WIDTH)
    lines = [line for chunk in found for line in chunk.lines]
    widths = [fonts.width(line_text(line), fonts.CAPTION) for line in lines]
    assert " ".join(map(line_text, lines)) == " ".join(words)
    assert all(width <= WIDTH for width in widths)
    assert not [line for line, width in zip(lines, widths, strict=True) if len(line) == 1 and width < 0.4 * max(widths)]


def test_a_long_cue_is_shown_in_parts_at_the_times_of_their_words() -> None:
    clip = evenly("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen")
    found = chunks(clip, face=fonts.CAPTION, max_width=WIDTH)
    assert len(found) > 1
    assert all(len(chunk.lines) <= 2 for chunk in found)
    assert [chunk.end_ms for chunk in found[:-1]] == [chunk.start_ms for chunk in found[1:]]
    assert [chunk.start_ms for chunk in found[1:]] == [chunk.pieces[0].start_ms for chunk in found[1:]]


def test_chinese_is_broken_where_it_may_be() -> None:
    text = "宇宙的年龄是一百三十八亿年，远处的（很远的）光，还没有到达我们的眼睛。"  # noqa: RUF001
    lines = lines_of(cue(text, words=[(text, 0, 2000)]), width=7)
    assert "".join(lines) == text
    assert len(lines) > 3
    assert all(line[0] not in NEVER_FIRST and line[-1] not in NEVER_LAST for line in lines)
    assert all(fonts.width(line, fonts.CAPTION) <= 8 for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ท้องฟ้ายามค่ำคืนมืดเพราะแสงต้องใช้เวลา", "เพราะ"),
        ("夜空が暗いのは、光がまだ届いていないからです。", "暗いのは、"),
        ("夜空之所以黑暗，是因为光需要时间才能到达。", "因为"),  # noqa: RUF001
    ],
)
def test_a_script_without_spaces_is_broken_between_its_words(text: str, expected: str) -> None:
    lines = lines_of(cue(text, words=[(text, 0, 2000)]), width=6)
    assert "".join(lines) == text
    assert len(lines) > 1
    assert any(expected in line for line in lines)


def test_a_letter_keeps_its_marks_where_a_word_must_be_cut() -> None:
    lines = lines_of(cue("क्ष्म" * 20, words=[("क्ष्म" * 20, 0, 500)]), width=4)
    assert "".join(lines) == "क्ष्म" * 20
    assert all(line.startswith("क") and not line.endswith("्") for line in lines)


def test_a_cue_that_nobody_could_read_in_its_time_stays_longer() -> None:
    quick = cue("Said in no time at all", start=0, end=400)
    _, events = lines.events(track(quick, cue("Next", start=4000, end=5000), style="plain"), TALL, 30)
    shown = {(event.first, event.last) for event in events if event.style == "Caption"}
    assert shown == {(0, 26), (120, 150)}


def test_a_cue_that_stays_to_be_read_makes_room_for_the_next() -> None:
    quick, following = cue("Said in no time at all", start=0, end=400), cue("Next", start=700, end=1500)
    _, events = lines.events(track(quick, following, style="plain"), TALL, 30)
    assert sorted({(event.first, event.last) for event in events if event.style == "Caption"}) == [(0, 21), (21, 45)]


def test_an_endless_word_is_cut() -> None:
    lines = lines_of(cue("x" * 80, words=[("x" * 80, 0, 500)]))
    assert "".join(lines) == "x" * 80
    assert all(fonts.width(line, fonts.CAPTION) * 0.7 <= WIDTH for line in lines)


def test_a_word_that_is_spoken_but_not_written_shows_nothing_of_its_own() -> None:
    clip = cue(
        "is 13.8 billion", words=[("is", 0, 1), ("thirteen", 1, 2), ("13.8", 2, 3), ("8", 3, 4), ("billion", 4, 5)]
    )
    pieces = chunks(clip, face=fonts.CAPTION, max_width=20)[0].pieces
    assert [piece.text for piece in pieces] == ["is", "13.8", "billion"]


def test_punctuation_stays_with_its_word() -> None:
    clip = cue("«Why?» he said…", words=[("Why", 0, 1), ("he", 1, 2), ("said", 2, 3)])
    assert [piece.text for piece in chunks(clip, face=fonts.CAPTION, max_width=20)[0].pieces] == [
        "«Why?»",
        "he",
        "said…",
    ]


def test_a_cue_that_loses_all_its_characters_draws_nothing() -> None:
    assert chunks(cue("ሰላም", words=[("ሰላም", 0, 500)]), face=fonts.CAPTION, max_width=WIDTH) == []


def test_wrapping_a_title_keeps_its_words() -> None:
    assert " ".join(wrap("Why the night sky is dark", face=fonts.DISPLAY, max_width=7)) == "Why the night sky is dark"


@pytest.mark.parametrize(
    ("text", "expected"), [("hello", False), ("مرحبا", True), ("13.8 مليار", True), ("OK مرحبا", False), ("…", False)]
)
def test_direction_follows_the_first_letter(text: str, expected: bool) -> None:
    assert is_right_to_left(text) is expected


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Why? Über naïve œuvre", ""),
        ("لماذا؟ 13.8", ""),
        ("夜空,为什么。", ""),
        ("Ωλα ещё", ""),
        ("한국의 밤하늘", ""),
        ("שלום עולם", ""),
        ("रात का आकाश", ""),
        ("রাতের আকাশ", ""),
        ("ท้องฟ้ายามค่ำคืน", ""),
        ("夜空が暗い", ""),
        ("رات کا آسمان ٹھنڈا ہے", ""),
        ("ሰላም", "ላምሰ"),
        ("Selam, ሰላም!", ""),
        ("🚀 up", ""),
        ("🚀", ""),
    ],
)
def test_characters_without_which_nothing_is_said_are_named(text: str, missing: str) -> None:
    assert missing_glyphs([text]) == missing


def test_scripts_get_their_own_face_and_an_equal_size() -> None:
    latin, arabic = fonts.runs("age عمر", fonts.CAPTION)
    assert (latin.face, arabic.face) == (fonts.CAPTION, fonts.ARABIC)
    assert fonts.font_size(arabic.face, 100) / fonts.font_size(latin.face, 100) == pytest.approx(1.43, abs=0.05)


def test_each_word_lights_up_with_its_first_frame() -> None:
    clip = cue("one two three", end=1100, words=[("one", 0, 333), ("two", 333, 700), ("three", 701, 1100)])
    _, events = lines.events(track(clip), TALL, 30)
    lit = [event for event in events if event.style == "Caption"]
    assert [(event.first, event.last) for event in lit] == [(0, 10), (10, 22), (22, 33)]
    assert all("\\1c" in event.text for event in lit)


def test_highlights_never_overlap_within_a_line() -> None:
    clip = evenly("many words in one cue of two", step=70)
    _, events = lines.events(track(clip), TALL, 30)
    rows: dict[str, list[tuple[int, int]]] = {}
    for event in (event for event in events if event.style == "Caption"):
        place = re.search(r"\\pos\(([^)]*)\)", event.text)
        assert place
        rows.setdefault(place[1], []).append((event.first, event.last))
    assert len(rows) == 2
    for spans in rows.values():
        assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_the_shadow_of_a_word_that_grows_is_as_large_and_where_the_word_is() -> None:
    _, events = lines.events(track(evenly("one two three"), style="pop"), TALL, 30)
    sizes = {
        name: [
            (event.first, event.last, re.findall(r"\\fscx\d+", event.text)) for event in events if event.style == name
        ]
        for name in ("Shade", "Caption")
    }
    assert sizes["Shade"] == sizes["Caption"]


def test_plain_captions_light_nothing() -> None:
    _, events = lines.events(track(evenly("no words lit"), style="plain"), TALL, 30)
    assert not any("\\1c" in event.text for event in events)


def test_captions_that_follow_closely_do_not_blink() -> None:
    first, second = cue("one", start=0, end=500), cue("two", start=600, end=900)
    _, events = lines.events(track(first, second), TALL, 30)
    assert sorted({(event.first, event.last) for event in events}) == [(0, 18), (18, 27)]


def test_sidecars_show_times_text_and_emoji() -> None:
    both = track(cue("Up 🚀 & <away>", start=61_002, end=62_500), cue("First", start=0, end=900))
    assert sidecars.srt(both) == (
        "1\n00:00:00,000 --> 00:00:00,900\nFirst\n\n2\n00:01:01,002 --> 00:01:02,500\nUp 🚀 & <away>\n"
    )
    assert sidecars.vtt(both) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nFirst\n\n00:01:01.002 --> 00:01:02.500\nUp 🚀 &amp; &lt;away&gt;\n"
    )


def test_ass_has_a_line_per_cue_with_its_words_and_their_times() -> None:
    clip = cue(
        "Up {now}, 13!", start=1000, end=2504, words=[("Up", 1000, 1333), ("now", 1333, 2000), ("13", 2000, 2400)]
    )
    first, second = (
        line for line in sidecars.ass(track(clip, cue("🚀", end=500)), TALL).splitlines() if "Dialogue" in line
    )
    assert first == "Dialogue: 0,0:00:00.00,0:00:00.50,Caption,,0,0,0,,🚀"
    assert second == r"Dialogue: 0,0:00:01.00,0:00:02.50,Caption,,0,0,0,,{\k33}Up \{{\k67}now\}, {\k50}13!"
    assert "Style: Caption,Noto Sans," in sidecars.ass(track(clip), TALL)


def _ass(given: CaptionTrack) -> str:
    return sidecars.ass(given, TALL)


@pytest.mark.parametrize("write", [sidecars.srt, sidecars.vtt, _ass])
def test_empty_sidecars_are_an_error(write: object) -> None:
    with pytest.raises(RenderRefused) as caught:
        write(track(cue(" ")))  # type: ignore[operator]
    assert caught.value.code == "captions_empty"
