"""The mix in detail: loops without a seam, envelopes, trimmed silence, tempo, films that are heard."""

import itertools
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fenta.contracts.timeline import AssetSource, AudioClip, AudioTrack, Keyframe, Timeline, Transition
from fenta.render.audio import mixing
from fenta.render.audio.clips import Heard
from fenta.render.audio.samples import RATE, decode
from fenta.render.errors import RenderRefused
from fenta.render.faults import faults
from fenta.render.timeline import frame_plan
from tests.render.media import SMALL, Shelf, timeline


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)


def recorded(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def clip_of(path: Path, samples: np.ndarray, **changes: Any) -> Heard:
    source = AssetSource(asset_id="asset_1", sha256="0" * 64, media="audio")
    given = {"id": "c", "start_ms": 0, "duration_ms": 1000, "source": source, **changes}
    clip = AudioClip(**given)
    recording = decode(recorded(path / "in.wav", samples), path / "in.f32", "c", clip.speed)
    return Heard(clip, recording)


def whole(heard: Heard) -> np.ndarray:
    return heard.part(0, heard.length)[:, 0]


def pitch(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * RATE / len(samples)


# --- loops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hertz", [100, 107.3], ids=["fits", "would click"])
def test_a_loop_has_no_seam(tmp_path: Path, hertz: float) -> None:
    """A click is a bend much sharper than any of the tone's own; a hole or a bump is a change of its level."""
    heard = whole(clip_of(tmp_path, tone(hertz, 1.0), duration_ms=4000, loop=True))[2000:-2000]
    sharpest = np.abs(np.diff(heard, 2)).max()
    assert sharpest < 3 * np.abs(np.diff(tone(hertz, 1.0), 2)).max()
    levels = [np.sqrt(np.mean(part**2)) for part in np.array_split(heard, 80)]
    assert min(levels) > 0.65 * max(levels)


def test_a_loop_of_noise_keeps_its_loudness_over_the_seam(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, RATE)
    heard = whole(clip_of(tmp_path, noise, duration_ms=6000, loop=True))
    period = RATE - RATE // 20
    seams = [heard[turn * period : turn * period + RATE // 20] for turn in range(1, 6)]
    assert np.std(seams) == pytest.approx(0.1, rel=0.05)


def test_any_cut_of_a_loop_is_a_part_of_the_whole(tmp_path: Path) -> None:
    heard = clip_of(tmp_path, tone(91, 0.7), duration_ms=3000, loop=True, fade_out_ms=500, in_ms=100)
    whole_one = heard.part(0, heard.length)
    cuts = [0, 1, 28_000, 31_301, 31_350, 90_000, 143_999, heard.length]
    parts = [heard.part(first, last) for first, last in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole_one)


def test_a_loop_shorter_than_its_seam_is_one_too(tmp_path: Path) -> None:
    heard = whole(clip_of(tmp_path, tone(440, 0.01), duration_ms=1000, loop=True))
    assert np.sqrt(np.mean(heard[1000:-1000] ** 2)) > 0.1


# --- what a clip says of its sound ------------------------------------------------------------------------------------


def test_an_envelope_leads_from_gain_to_gain(tmp_path: Path) -> None:
    envelope = [Keyframe(at_ms=0, value=0, easing="linear"), Keyframe(at_ms=1000, value=-40)]
    heard = whole(clip_of(tmp_path, tone(1000, 2.0), duration_ms=2000, envelope=envelope))
    levels = [20 * np.log10(np.abs(heard[at - 480 : at + 480]).max() / 0.3) for at in (24_000, 36_000, 72_000)]
    assert levels == pytest.approx([-19.6, -29.6, -40], abs=0.5)


def test_trimmed_silence_lets_a_sound_begin_at_once(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(RATE // 2), tone(500, 0.3), np.zeros(RATE // 2)])
    plain = whole(clip_of(tmp_path, samples))
    trimmed = whole(clip_of(tmp_path, samples, trim_silence=True))
    assert np.abs(plain[:20_000]).max() < 0.001
    assert np.abs(trimmed[1000:14_000]).max() > 0.25
    assert np.abs(trimmed[15_000:]).max() < 0.001


def test_trimming_what_is_all_silent_leaves_it(tmp_path: Path) -> None:
    assert np.abs(whole(clip_of(tmp_path, np.zeros(RATE), trim_silence=True))).max() == 0


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5, 4.0])
def test_speed_changes_the_time_and_not_the_pitch(tmp_path: Path, speed: float) -> None:
    heard = clip_of(tmp_path, tone(440, 2.0), speed=speed, duration_ms=500)
    assert heard.recording.length == pytest.approx(2 * RATE / speed, rel=0.03)
    assert pitch(whole(heard)[4000:20_000]) == pytest.approx(440, rel=0.02)


def test_a_place_after_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderRefused, match="clip c"):
        whole(clip_of(tmp_path, tone(440, 0.2), in_ms=300))


# --- films that are heard ---------------------------------------------------------------------------------------------


def speaking_film(path: Path, hertz: float) -> Path:
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = 32, 64, "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(75):
            frame = av.VideoFrame.from_ndarray(np.full((64, 32, 3), number, np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        samples = tone(hertz, 3.0).astype(np.float32)
        for first in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE, first
            container.mux(sound.encode(block))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    return path


@pytest.fixture
def talkies(shelf: Shelf) -> Timeline:
    """Two films, a tone each, the second of which comes in by a transition of half a second."""
    document = timeline(shelf, ["Light needs time to arrive.", "So we see the past."])
    tracks = [track for track in document.tracks if not isinstance(track, AudioTrack)]
    clips = []
    for clip, hertz in zip(tracks[0].clips, (300, 900), strict=True):
        path = speaking_film(shelf.folder / f"{hertz}.mp4", hertz)
        media = shelf.keep(path.name)
        source = AssetSource(asset_id=media.asset_id, sha256=media.sha256, media="video")
        clips.append(
            clip.model_copy(update={"source": source, "gain_db": 0.0, "transition": Transition(duration_ms=500)})
        )
    return document.model_copy(update={"tracks": [tracks[0].model_copy(update={"clips": clips}), *tracks[1:]]})


def strength(samples: np.ndarray, hertz: float) -> float:
    wave_ = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    return float(np.abs(np.mean(samples * wave_)) * 2)


def test_sounds_of_films_fade_over_with_their_pictures(talkies: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    plan = frame_plan(talkies, SMALL)
    length = plan.frames * RATE // plan.fps
    heard = mixing.own_sound(plan, mixing.Shelf(shelf.files, tmp_path), length).part(0, length)[:, 0]
    border = plan.shots[1].first * RATE // plan.fps
    fade = plan.shots[1].fade * RATE // plan.fps
    before, middle, after = heard[border - 4800 : border], heard[border : border + fade], heard[border + fade :][:4800]
    assert (strength(before, 300), strength(after, 900)) == (pytest.approx(0.3, rel=0.1), pytest.approx(0.3, rel=0.1))
    assert max(strength(before, 900), strength(after, 300)) < 0.01
    assert strength(middle[:4800], 300) > strength(middle[:4800], 900)
    assert strength(middle[-4800:], 900) > strength(middle[-4800:], 300)


def test_what_cannot_be_heard_is_a_fault(talkies: Timeline) -> None:
    clips = talkies.tracks[0].clips
    still = clips[0].model_copy(update={"source": clips[0].source.model_copy(update={"media": "image"})})
    pictures = talkies.tracks[0].model_copy(update={"clips": [still, *clips[1:]]})
    unordered = [Keyframe(at_ms=5, value=0), Keyframe(at_ms=5, value=-3)]
    sound = AudioClip(
        id="x",
        start_ms=0,
        duration_ms=100,
        source=clips[0].source.model_copy(update={"media": "image"}),
        envelope=unordered,
    )
    wrong = talkies.model_copy(update={"tracks": [pictures, AudioTrack(id="a", role="effects", clips=[sound])]})
    codes = [fault.code for fault in faults(wrong, [SMALL], lambda texts: "")]
    assert sorted(codes) == ["keyframes_unordered", "sound_missing", "sound_missing"]
