"""Captions: every word once, lines that fit, breaks where the sentence breathes."""

from hypothesis import given
from hypothesis import strategies as st

from fenta.contracts.documents import MediaRef, Speech, Word
from fenta.generation.subtitles import Layout, cut, direction_of, joined


def speech_of(text: str, language: str = "en") -> Speech:
    words = [Word(text=word, start_ms=i * 400, end_ms=i * 400 + 350) for i, word in enumerate(text.split())]
    return Speech(
        audio=MediaRef(asset_id="asset_1", sha256="0"),
        text=text,
        words=words,
        language=language,
        voice="en_female",
        duration_ms=max(1, len(words) * 400),
    )


@given(
    words=st.lists(st.text(st.characters(categories=["L", "N", "Po"]), min_size=1, max_size=14), max_size=60),
    max_chars=st.integers(8, 40),
    max_lines=st.integers(1, 3),
)
def test_every_word_is_shown_once_within_the_lines(words: list[str], max_chars: int, max_lines: int) -> None:
    speech = speech_of(" ".join(words))
    shown = cut(speech, Layout(max_chars, max_lines))
    assert [word for cue in shown.cues for word in cue.words] == speech.words
    for cue in shown.cues:
        lines = cue.text.split("\n")
        assert len(lines) <= max_lines or len(cue.words) == 1
        assert all(len(line) <= max_chars or " " not in line for line in lines)
    ends = [cue.end_ms for cue in shown.cues]
    assert all(end <= cue.start_ms for end, cue in zip(ends, shown.cues[1:], strict=False))


def test_breaks_fall_at_full_stops_and_commas() -> None:
    text = (
        "Octopuses have three hearts, and two of them stop beating when they swim. That is why they would rather crawl."
    )
    cues = cut(speech_of(text), Layout()).cues
    assert [cue.words[-1].text for cue in cues][-2:] != ["swim. That", "crawl."]
    assert any(cue.words[-1].text == "swim." for cue in cues)
    assert all(len(cue.words) > 1 for cue in cues)


def test_lines_are_balanced() -> None:
    (cue,) = cut(speech_of("Because space expands, distant light is stretched."), Layout()).cues
    first, second = cue.text.split("\n")
    assert abs(len(first) - len(second)) < 12


def test_chinese_stands_without_spaces() -> None:
    words = [Word(text=sign, start_ms=0, end_ms=1) for sign in ("章", "鱼", "有", "3", "颗", "心。", "真")]
    assert joined(words) == "章鱼有 3 颗心。真"


def test_direction_follows_the_letters_then_the_language() -> None:
    assert direction_of("en", "سلام") == "rtl"
    assert direction_of("ar", "2026") == "rtl"
    assert direction_of("en", "42") == "ltr"
    assert cut(speech_of("سلام عليكم", "ar"), Layout()).direction == "rtl"
    assert cut(speech_of("سلام عليكم", "ar"), Layout(), direction="ltr").direction == "ltr"


def test_a_caption_lingers_but_never_beyond_the_speech() -> None:
    speech = speech_of("One two. Three four.")
    cues = cut(speech, Layout(max_chars=10, max_lines=1)).cues
    assert cues[0].end_ms == cues[1].start_ms
    assert cues[-1].end_ms == speech.duration_ms
