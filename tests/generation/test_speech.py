"""The speech engine speaks, and knows exactly when it says each word."""

import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.contracts.documents import Word
from fenta.contracts.voices import LANGUAGES, VOICES
from fenta.generation.engines import speech
from fenta.generation.engines.speech import words
from fenta.generation.engines.writer import write
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.requests import ScriptRequest, SpeechRequest
from fenta.generation.voices import manner_of

TEXTS = {
    "en": 'In 2026, one of the 3 stars — it is said — "died". It\'s well-known: 42% of them!',
    "fr": "Vous êtes-vous déjà demandé pourquoi le ciel est noir ? L'univers a 13,8 milliards d'années.",
    "de": "Kraken haben drei Herzen, und zwei davon hören beim Schwimmen auf zu schlagen.",
    "it": "I polpi hanno tre cuori, e due si fermano quando nuotano.",
    "ar": "للأخطبوط ثلاثة قلوب، ويتوقف اثنان منها عند السباحة في 2026؟",
    "zh": "章鱼有三颗心脏。真的吗\uff1f",
}


def say(text: str, folder: Path, language: str = "en", **more: object) -> tuple[list[Word], dict[str, object]]:
    product = speech.make(SpeechRequest(text=text, language=language, **more), folder)  # type: ignore[arg-type]
    assert product.document is not None
    return [Word.model_validate(word) for word in product.document["words"]], product.document


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_words_cover_the_text_in_order_and_their_times_rise(language: str, tmp_path: Path) -> None:
    heard, document = say(TEXTS[language], tmp_path, language)
    squeezed = "".join("".join(word.text for word in heard).split())
    assert squeezed == "".join(TEXTS[language].split())
    duration = document["duration_ms"]
    assert isinstance(duration, int)
    assert all(word.start_ms < word.end_ms <= duration for word in heard)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(heard))


def test_sound_is_there_while_words_are_spoken_and_quiet_between_sentences(tmp_path: Path) -> None:
    heard, _ = say("Stars shine. Nights are dark.", tmp_path)
    with wave.open(str(tmp_path / "speech.wav")) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768

    def level(start_ms: int, end_ms: int) -> float:
        return float(np.sqrt((sound[start_ms * rate // 1000 : end_ms * rate // 1000] ** 2).mean()))

    assert heard[1].text == "shine."
    assert heard[2].start_ms - heard[1].end_ms > 100
    assert level(heard[1].end_ms + 40, heard[2].start_ms - 10) < 0.15 * min(level(w.start_ms, w.end_ms) for w in heard)
    rms_db = 20 * np.log10(np.sqrt((sound[np.abs(sound) > 1e-3] ** 2).mean()))
    assert -22 < rms_db < -15
    assert np.abs(sound).max() < 0.99


def test_the_same_request_gives_the_same_bytes_and_another_voice_others(tmp_path: Path) -> None:
    files = []
    for name, voice in (("a", "en_female"), ("b", "en_female"), ("c", "en_male")):
        (tmp_path / name).mkdir()
        say("Stars shine.", tmp_path / name, voice=voice)
        files.append((tmp_path / name / "speech.wav").read_bytes())
    assert files[0] == files[1] != files[2]


def test_every_voice_of_the_catalogue_speaks(tmp_path: Path) -> None:
    for voice in VOICES.values():
        heard, document = say("12 3", tmp_path, voice.language, voice=voice.id)
        assert len(heard) == 2
        assert document["voice"] == voice.id
        assert manner_of(voice).words_per_minute > 100


def test_a_higher_speed_is_shorter(tmp_path: Path) -> None:
    durations = [say(TEXTS["en"], tmp_path, speed=speed)[1]["duration_ms"] for speed in (0.7, 1.0, 1.3)]
    assert durations == sorted(durations, reverse=True)  # type: ignore[type-var]


def test_a_long_text_is_mastered_in_blocks_without_losing_a_word(tmp_path: Path) -> None:
    text = "Stars shine in the dark night sky. " * 60
    heard, document = say(text, tmp_path)
    assert len(heard) == 60 * 7
    assert isinstance(document["duration_ms"], int)
    assert document["duration_ms"] > 100_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text": " \x00 "}, "text_silent"),
        ({"text": "… !"}, "text_silent"),
        ({"text": "🎉"}, "text_silent"),
        ({"text": "x" * 40_001}, "text_too_long"),
        ({"voice": "nobody"}, "voice_not_found"),
        ({"language": "tlh"}, "language_unsupported"),
    ],
)
def test_what_cannot_be_spoken_is_refused(change: dict[str, str], code: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        speech.make(SpeechRequest.model_validate({"text": "Hello", **change}), tmp_path)
    assert refused.value.code == code


def test_a_script_of_thirty_seconds_takes_twenty_five_to_thirty_to_say(tmp_path: Path) -> None:
    points = [
        "The universe began 13.8 billion years ago, so light from farther away has not reached us yet.",
        "Because space expands, the light of distant galaxies is stretched until our eyes cannot see it.",
        "In 1823, Heinrich Olbers asked why an endless universe full of stars does not glow.",
    ]
    script = write(ScriptRequest(topic="Why the night sky is dark", points=points, duration_seconds=30))
    spoken = [say(scene.narration, tmp_path)[1]["duration_ms"] for scene in script.scenes()]
    total = sum(spoken) + 250 * (len(spoken) - 1)  # type: ignore[arg-type]
    assert 24_500 <= total <= 29_500


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=60),
    heard=st.lists(st.tuples(st.integers(-5, 80), st.integers(-10, 5000)), max_size=20),
)
def test_whatever_is_heard_words_stay_whole_and_in_order(text: str, heard: list[tuple[int, int]]) -> None:
    timed = words.timed(text, heard, 4000)
    assert [word.text for word in timed] == [token.text for token in words.tokens(text)]
    assert all(0 <= word.start_ms <= word.end_ms <= 4000 for word in timed)
    assert [word.start_ms for word in timed] == sorted(word.start_ms for word in timed)


def test_languages_without_a_manner_do_not_exist() -> None:
    assert {voice.language for voice in VOICES.values()} == set(LANGUAGES)
