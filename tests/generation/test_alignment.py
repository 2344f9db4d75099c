"""Every word of a known text is found in a recording of somebody else who says it."""

import os
import wave
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.generation.engines.alignment import hearing, warping
from fenta.generation.engines.alignment.features import Sound, features
from fenta.generation.engines.alignment.hearing import heard
from fenta.generation.engines.alignment.spoken import SpokenAligner
from fenta.generation.engines.alignment.warping import warped
from fenta.generation.engines.alignment.whisper import Whisper
from fenta.generation.engines.listening import listen
from fenta.generation.engines.speech import mastering
from fenta.generation.providers import EngineBroken, InvalidRequest
from tests.support.recordings import TEXTS, errors, noisy, spoken, with_pauses
from tests.support.whisper import build_whisper

SCRIPT = " Octopuses have three hearts."


@pytest.mark.parametrize("pauses", [False, True])
def test_words_are_found_in_the_speech_of_another_voice_with_noise(pauses: bool) -> None:
    found = errors(SpokenAligner(), pauses=pauses)
    assert np.percentile(found, 95) <= 80
    assert np.percentile(found, 50) <= 20


@pytest.mark.weights
@pytest.mark.skipif("WHISPER_MODEL" not in os.environ, reason="no model of faster-whisper in WHISPER_MODEL")
def test_words_are_found_by_recognising_them() -> None:
    recogniser = Whisper(Path(os.environ["WHISPER_MODEL"]))
    found = []
    for language, text in TEXTS.items():
        sound, rate, truth = spoken(language, pace=150)
        resampled = np.interp(np.arange(0, len(sound), rate / hearing.RATE), np.arange(len(sound)), noisy(sound))
        aligned = recogniser.align(resampled.astype(np.float32), hearing.RATE, text, language)
        found += [abs(word.start_ms - other.start_ms) for word, other in zip(aligned, truth, strict=True)]
    assert np.percentile(found, 95) <= 80


def test_words_end_where_their_sound_ends_and_never_overlap() -> None:
    sound, rate, truth = spoken("en")
    paused, starts = with_pauses(sound, rate, truth)
    aligned = SpokenAligner().align(noisy(paused), rate, TEXTS["en"], "en")
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(aligned))
    gaps = [after.start_ms - before.end_ms for before, after in pairwise(aligned)]
    assert all(gaps[number - 1] > 150 for number in range(4, len(starts), 4))


def test_a_language_that_nobody_speaks_shares_the_time_by_length() -> None:
    silence = np.zeros(16_000, np.float32)
    aligned = SpokenAligner().align(silence, 16_000, "Saluton bela mondo", "eo")
    assert [word.start_ms for word in aligned] == [0, 437, 687]


def test_a_long_speech_is_aligned_in_a_band_as_it_would_be_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, rate, _ = spoken("en")
    other, other_rate, _ = spoken("en", pace=130, pitch=60)
    one, two = features(sound, rate), features(other, other_rate)
    whole = warped(one, two)
    monkeypatch.setattr(warping, "LONGEST_AT_ONCE", 200)
    monkeypatch.setattr(warping, "REACH", 100)
    assert np.abs(warped(one, two) - whole).max() <= 3


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_a_way_never_goes_back_and_ends_at_the_end(length: int, other: int, seed: int) -> None:
    noise = np.random.default_rng(seed)
    rows = [noise.standard_normal((count, 4)).astype(np.float32) for count in (length, max(1, min(other, 3 * length)))]
    path = warped(*rows)
    assert (np.diff(path) >= 0).all()
    assert path[-1] == len(rows[1]) - 1


# --- files ------------------------------------------------------------------------------------------------------------


def recording(path: Path, sound: Sound, rate: int) -> Path:
    codec = {".wav": "pcm_s16le", ".mp3": "mp3", ".m4a": "aac", ".ogg": "libopus", ".flac": "flac"}[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=48_000, frame_size=stream.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", ["wav", "mp3", "m4a", "ogg", "flac"])
def test_sound_of_any_usual_kind_is_heard(tmp_path: Path, kind: str) -> None:
    sound, rate, truth = spoken("en")
    found = listen(recording(tmp_path / f"a.{kind}", sound, rate), TEXTS["en"], "en", None)
    assert abs(found.duration_ms - len(sound) * 1000 // rate) < 100
    assert np.median([abs(word.start_ms - other.start_ms) for word, other in zip(found.words, truth, strict=True)]) < 40


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVE", b"#EXTM3U\nfile:///etc/passwd", b"\0" * 999])
def test_what_is_no_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(InvalidRequest) as caught:
        heard(tmp_path / "a.wav")
    assert caught.value.code == "audio_unreadable"


# --- recognition ------------------------------------------------------------------------------------------------------


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Two seconds in which somebody speaks."""
    sound, rate, _ = spoken("en")
    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(mastering.as_bytes(sound[: 2 * rate]))
    return path


@pytest.mark.parametrize(("script", "language"), [(SCRIPT, "en"), (" Les pieuvres ont trois cœurs.", "fr")])
def test_speech_alone_is_recognised_with_its_language_and_its_words(
    tmp_path: Path, voice: Path, script: str, language: str
) -> None:
    found = listen(voice, "", None, build_whisper(tmp_path / "model", script, language))
    assert (found.language, found.text) == (language, script.strip())
    assert [word.text for word in found.words] == script.split()
    starts = [word.start_ms for word in found.words]
    assert starts == sorted(starts)
    assert starts[1:4] == [1200, 1500, 1800]


def test_a_known_text_is_put_on_the_times_of_what_is_recognised(tmp_path: Path, voice: Path) -> None:
    model = build_whisper(tmp_path / "model", SCRIPT, "en")
    aligned = Whisper(model).align(heard(voice), hearing.RATE, "So: octopuses do have three (3) hearts!", "en")
    assert [word.text for word in aligned] == ["So:", "octopuses", "do", "have", "three", "(3)", "hearts!"]
    times = {word.text: word.start_ms for word in aligned}
    assert (times["have"], times["three"], times["hearts!"]) == (1200, 1500, 1800)
    assert times["three"] < times["(3)"] < times["hearts!"]


def test_speech_without_text_and_without_a_model_is_refused(voice: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        listen(voice, "", None, None)
    assert caught.value.code == "recogniser_missing"


def test_a_folder_without_a_model_is_named(tmp_path: Path, voice: Path) -> None:
    with pytest.raises(EngineBroken) as caught:
        listen(voice, "", None, tmp_path / "nothing")
    assert caught.value.code == "recogniser_missing"
