"""Procedural music: chords, plucks, bells, bass and a soft beat, by style, length and seed; loops without a seam."""

import wave
from pathlib import Path

import numpy as np

from fenta.generation.engines.music import instruments as play
from fenta.generation.engines.music.instruments import RATE, Sound, Tape
from fenta.generation.engines.music.moods import MOODS, Mood, mood_named
from fenta.generation.providers.products import MadeFile, Product
from fenta.generation.providers.requests import MusicRequest

FILE_NAME = "music.wav"
LOUDNESS_RMS_DB = -19.0
ROOM_SECONDS = 2.2


class Score:
    """Where the beats of one piece lie: a whole number of bars fills its length exactly."""

    def __init__(self, mood: Mood, seconds: float, random: np.random.Generator) -> None:
        self.mood = mood
        self.random = random
        self.bars = _bars(mood, seconds)
        self.beat = seconds / self.bars / 4
        self.key = 57 + int(random.integers(-4, 4))
        self.tape = Tape(round(seconds * RATE))

    def chord(self, bar: int) -> list[int]:
        return [self.key + step for step in self.mood.chords[bar % len(self.mood.chords)]]

    def starts(self) -> list[tuple[int, float]]:
        return [(bar, bar * 4 * self.beat) for bar in range(self.bars)]


def _bars(mood: Mood, seconds: float) -> int:
    """Whole turns of the harmony where the tempo bears it, else whole bars."""
    wanted = seconds * mood.beats_per_minute / 240
    turn = len(mood.chords)
    whole = max(1, round(wanted / turn)) * turn
    return whole if 0.84 <= whole / wanted <= 1.18 else max(1, round(wanted))


def make(request: MusicRequest, folder: Path) -> Product:
    """Compose a piece into a stereo WAV file."""
    name = mood_named(request.style, request.prompt)
    sound, beats_per_minute = compose(name, request.seconds, request.seed)
    _write(folder / FILE_NAME, sound)
    duration_ms = round(len(sound) * 1000 / RATE)
    return Product(
        files=(MadeFile(name=FILE_NAME, kind="audio", media_type="audio/wav", duration_ms=duration_ms),),
        document={
            "mood": name,
            "duration_ms": duration_ms,
            "beats_per_minute": round(beats_per_minute, 2),
            "loopable": True,
            "licence": "generated",
        },
        seed=request.seed,
        parameters={"mood": name, "seed": request.seed},
    )


def compose(mood_name: str, seconds: float, seed: int) -> tuple[Sound, float]:
    """Samples of shape (n, 2) from -1 to 1, and the tempo."""
    score = Score(MOODS[mood_name], seconds, np.random.default_rng(seed))
    dry = Tape(score.tape.length)
    _pads(score)
    _plucks(score)
    _bells(score)
    score.tape, dry = dry, score.tape
    _bass(score)
    _beat(score)
    return _mixed(dry, score.tape), 60 / score.beat


def _pads(score: Score) -> None:
    bar_seconds = score.beat * 4
    for bar, at in score.starts():
        for number, note in enumerate(score.chord(bar)):
            if score.mood.pad:
                _pad(score, note, at, bar_seconds, pan=(-0.7, 0.6, -0.3, 0.8)[number % 4])
            if score.mood.strings:
                _strings(score, note, at)


def _pad(score: Score, note: int, at: float, bar_seconds: float, pan: float) -> None:
    length = bar_seconds * 1.35
    for detune, side in ((-5.0, -0.25), (6.0, 0.25)):
        sound = play.tone(play.WARM, note, length, detune, phase=float(score.random.random()))
        shape = play.swell(len(sound), bar_seconds * 0.35, bar_seconds * 0.45)
        score.tape.put(at, sound * shape, 0.075 * score.mood.pad, max(-1.0, min(1.0, pan + side)))


def _strings(score: Score, note: int, at: float) -> None:
    """Short bows in the rhythm of the piece."""
    for step, accent in enumerate((1, 0.5, 0.6, 0.5, 0.8, 0.5, 0.6, 0.7)):
        sound = play.tone(play.STRINGS, note, score.beat * 0.55, phase=float(score.random.random()))
        shape = play.struck(len(sound), score.beat * 0.2, 0.02)
        score.tape.put(at + step * score.beat / 2, sound * shape, 0.07 * score.mood.strings * accent, 0.35 - 0.1 * step)


def _plucks(score: Score) -> None:
    if not score.mood.pluck:
        return
    pattern = score.random.permutation(4).tolist() + score.random.permutation(4).tolist()
    steps = 4 * score.mood.plucks_per_beat
    for bar, at in score.starts():
        notes = score.chord(bar)
        for step in range(steps):
            note = notes[pattern[step % 8] % len(notes)] + 12
            accent = 1.0 if step % 2 == 0 else 0.6
            sound = play.tone(play.ROUND, note, 0.5)
            shape = play.struck(len(sound), 0.13)
            pan = 0.55 if step % 2 else -0.55
            score.tape.put(at + step * 4 * score.beat / steps, sound * shape, 0.16 * score.mood.pluck * accent, pan)


def _bells(score: Score) -> None:
    """A sparse tune that wanders over the scale; the same phrase returns every four bars."""
    if not score.mood.bell:
        return
    tune, place = [], int(score.random.integers(2, 6))
    for step in range(16):
        place = int(np.clip(place + score.random.integers(-2, 3), 0, 9))
        if step % 4 == 0 or score.random.random() < 0.3:
            tune.append((step, place))
    for bar, at in score.starts():
        for step, spot in tune:
            if step // 4 == bar % 4:
                _bell(score, spot, at + (step % 4) * score.beat)


def _bell(score: Score, spot: int, at: float) -> None:
    scale = score.mood.scale
    note = score.key + 24 + scale[spot % len(scale)] + 12 * (spot // len(scale)) - 12
    sound = play.tone(play.GLASS, note, 1.8)
    score.tape.put(
        at, sound * play.struck(len(sound), 0.5), 0.10 * score.mood.bell, float(score.random.uniform(-0.4, 0.4))
    )


def _bass(score: Score) -> None:
    for bar, at in score.starts():
        note = min(score.chord(bar)) - 12
        for step, length in ((0, 1.5), (2, 1.3)):
            sound = play.tone(play.ROUND, note, score.beat * length)
            shape = play.swell(len(sound), 0.015, score.beat * 0.5)
            score.tape.put(at + step * score.beat, sound * shape, 0.17 * score.mood.bass)


def _beat(score: Score) -> None:
    mood, random = score.mood, score.random
    for bar, at in score.starts():
        for beat in range(4):
            now = at + beat * score.beat
            if mood.kick and beat % 2 == 0:
                score.tape.put(now, play.kick(), 0.30 * mood.kick)
            if mood.clap and beat % 2 == 1:
                score.tape.put(now, play.clap(random), 0.34 * mood.clap, 0.08)
            for half in (0, 0.5) if mood.shaker else ():
                score.tape.put(now + half * score.beat, play.shaker(random), (0.16 + 0.14 * half) * mood.shaker, 0.25)
        _bar_sounds(score, bar, at)


def _bar_sounds(score: Score, bar: int, at: float) -> None:
    mood = score.mood
    if mood.drum:
        for beat, accent in ((0, 1.0), (2.5, 0.6), (3, 0.8)):
            score.tape.put(at + beat * score.beat, play.drum(), 0.34 * mood.drum * accent)
    if mood.riser and bar % 2 == 1:
        score.tape.put(at, play.riser(score.random, score.beat * 4), 0.20 * mood.riser)


def _mixed(roomy: Tape, dry: Tape) -> Sound:
    channels = [
        _in_room(wet, seed) + close
        for seed, (wet, close) in enumerate(((roomy.left, dry.left), (roomy.right, dry.right)))
    ]
    piece = np.stack(channels, axis=1)
    rms = max(float(np.sqrt((piece**2).mean())), 1e-6)
    return (np.tanh(piece * np.float32(10 ** (LOUDNESS_RMS_DB / 20) / rms * 1.15)) / 1.15).astype(np.float32)


def _in_room(sound: Sound, seed: int) -> Sound:
    """A hall, by a circular convolution: its tail at the end is heard at the beginning."""
    length = len(sound)
    tail = min(length, int(ROOM_SECONDS * RATE))
    time = np.arange(tail, dtype=np.float32) / RATE
    noise = np.random.default_rng(100 + seed).standard_normal(tail).astype(np.float32)
    room = np.zeros(length, np.float32)
    room[:tail] = noise * np.exp(-time / np.float32(0.42)) * np.clip(time / 0.02, 0, 1)
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(length, 1 / RATE).astype(np.float32)
    hall = np.fft.rfft(room) * (0.020 / np.sqrt(1 + (frequency / 3500) ** 2))
    rumble = 1 / (1 + (45 / np.maximum(frequency, 1)) ** 4)
    return np.fft.irfft(spectrum * (1 + hall) * rumble, length).astype(np.float32)


def _write(path: Path, sound: Sound) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).round().astype("<i2").tobytes())
