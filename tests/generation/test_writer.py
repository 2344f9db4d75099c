"""The offline writer tells what it is given, fits the time, and refuses what nobody could speak."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.contracts.documents import Script
from fenta.contracts.voices import WRITTEN
from fenta.generation.engines.cleaning import cleaned
from fenta.generation.engines.writer import knows_facts, write
from fenta.generation.engines.writer.phrases import LANGUAGES
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.requests import ScriptRequest

FACTS = {
    "en": "The universe began 13.8 billion years ago, so light from farther away has not reached us yet.",
    "fr": "L'univers a 13,8 milliards d'années, et la lumière lointaine n'est pas encore arrivée.",
    "de": "Das Universum ist 13,8 Milliarden Jahre alt, und fernes Licht hat uns noch nicht erreicht.",
    "it": "L'universo ha 13,8 miliardi di anni, e la luce lontana non ci ha ancora raggiunto.",
    "ar": "عمر الكون 13.8 مليار سنة، وضوء المجرات البعيدة لم يصل إلينا بعد.",
    "ary": "العالم عندو 13.8 مليار عام، والضو البعيد مازال ما وصلش لينا.",
}
TOPICS = {
    "en": "Why the night sky is dark",
    "fr": "Pourquoi le ciel est noir la nuit",
    "de": "Warum der Nachthimmel dunkel ist",
    "it": "Perché il cielo di notte è buio",
    "ar": "لماذا سماء الليل مظلمة",
    "ary": "علاش السما كحلة فالليل",
}
words = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12)
sentences = st.lists(words, min_size=1, max_size=15).map(" ".join)


def spoken(script: Script) -> str:
    return "\n".join(scene.narration for scene in script.scenes())


def test_the_phrases_cover_every_language_that_is_promised() -> None:
    assert set(LANGUAGES) == WRITTEN


@given(
    topic=sentences,
    points=st.lists(sentences, max_size=8),
    seconds=st.integers(1, 180),
    language=st.sampled_from(sorted(WRITTEN)),
)
@settings(max_examples=150, deadline=None)
def test_every_point_is_told_word_for_word_in_order(topic: str, points: list[str], seconds: int, language: str) -> None:
    script = write(ScriptRequest(topic=topic, points=points, duration_seconds=seconds, language=language))
    place = 0
    for point in points:
        place = spoken(script).index(cleaned(point), place) + len(cleaned(point))
    starts = [segment.start_ms for segment in script.segments]
    assert starts == sorted(starts)
    assert all(segment.start_ms < segment.end_ms and segment.content for segment in script.segments)
    assert all(segment.visual_direction for segment in script.segments)
    assert script.title
    assert script.hook


@pytest.mark.parametrize("language", sorted(WRITTEN))
@pytest.mark.parametrize("seconds", [15, 30, 60])
def test_a_script_fills_its_time(language: str, seconds: int) -> None:
    points = [FACTS[language]] * (seconds // 15)
    script = write(ScriptRequest(topic=TOPICS[language], points=points, duration_seconds=seconds, language=language))
    assert 0.8 * seconds <= script.duration_ms / 1000 <= 1.2 * seconds


def test_a_question_becomes_a_hook_and_an_answer() -> None:
    script = write(ScriptRequest(topic="Why the night sky is dark", points=[FACTS["en"]], duration_seconds=40))
    assert script.hook == "Have you ever wondered why the night sky is dark?"
    assert script.outro == "And that is why the night sky is dark."
    assert write(ScriptRequest(topic="Why is the sky blue")).hook == "Why is the sky blue?"


def test_segments_are_never_more_than_asked_for_and_facts_are_shared_out() -> None:
    points = [f"Fact number {number} is short." for number in range(9)]
    script = write(ScriptRequest(topic="Facts", points=points, max_segments=3))
    assert [segment.content.count("Fact number") for segment in script.segments] == [3, 3, 3]


def test_without_facts_it_claims_nothing() -> None:
    request = ScriptRequest(topic=TOPICS["en"])
    assert not knows_facts(request)
    script = write(request)
    assert "that is why" not in spoken(script)
    assert "what we know" not in spoken(script)
    assert knows_facts(request.model_copy(update={"points": ["It is so."]}))


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("", "topic_empty"),
        ("\x00\x1b\n", "topic_empty"),
        ("???", "topic_empty"),
        ("a " * 50_000, "topic_too_long"),
        ("{\\pos(1,2)}<b></b>", "topic_empty"),
    ],
)
def test_a_topic_that_nobody_can_speak_of_is_refused(topic: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        write(ScriptRequest(topic=topic))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"language": "tlh"}, "language_unsupported"),
        ({"language": "es"}, "language_unsupported"),
        ({"duration_seconds": 0}, "duration_invalid"),
        ({"duration_seconds": -1}, "duration_invalid"),
        ({"duration_seconds": 10_000}, "duration_invalid"),
        ({"duration_seconds": float("nan")}, "duration_invalid"),
        ({"points": ["..."]}, "point_empty"),
        ({"points": ["x" * 301]}, "point_too_long"),
        ({"points": ["fine"] * 21}, "points_too_many"),
    ],
)
def test_a_brief_that_cannot_be_written_is_refused_by_name(change: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        write(ScriptRequest(topic="Stars").model_copy(update=change))
    assert refused.value.code == code


def test_markup_and_control_characters_never_reach_the_script() -> None:
    hostile = "Stars {\\pos(1,2)}<script>alert(1)</script> glow\x07 $(rm -rf) `x` ; [v]drawtext=\u202e"
    script = write(ScriptRequest(topic=hostile, points=[hostile]))
    assert "Stars alert(1) glow $(rm -rf) `x` ; [v]drawtext=" in spoken(script)
    for part in ("\\pos", "<script", "\x07", "\u202e"):
        assert part not in script.model_dump_json()


@pytest.mark.parametrize("point", ["章鱼有三颗心脏。", "للأخطبوط ثلاثة قلوب", "Πολλά είναι"])
def test_points_in_other_scripts_stay_as_they_are(point: str) -> None:
    assert point in spoken(write(ScriptRequest(topic="Octopus", points=[point])))


def test_moroccan_tags_are_understood() -> None:
    assert write(ScriptRequest(topic=TOPICS["ary"], language="ar-MA")).language == "ary"
