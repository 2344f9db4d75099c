"""Pictures, voices and music made on the spot: small, different from one another, the same in every run."""

import hashlib
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from fenta.contracts.documents import Cue, MediaRef, Music, Script, Segment, Speech, Subtitles, Word
from fenta.contracts.timeline import Canvas, Timeline
from fenta.render.audio.samples import decode
from fenta.render.templates.bindings import Bindings, Visual
from fenta.render.templates.compiling import compile_timeline
from fenta.render.templates.shipped import shipped

RATE = 16_000
SMALL = Canvas(aspect="9:16", width=270, height=480)
WORD_MS, PAUSE_MS = 260, 90


@dataclass
class Shelf:
    """A folder of made files, known by their hashes as the engine wants them."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)

    def keep(self, name: str, data: bytes | None = None) -> MediaRef:
        path = self.folder / name
        if data is not None:
            path.write_bytes(data)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.files[sha256] = path
        return MediaRef(asset_id=f"asset_{name}", sha256=sha256)

    def picture(self, seed: int, *, width: int = 360, height: int = 640, brightness: float = 1.0) -> Visual:
        noise = np.random.default_rng(seed)
        rough = cv2.resize(noise.random((9, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        fine = cv2.resize(noise.random((height // 4, width // 4, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        picture = np.clip((rough * 170 + fine * 70 + 15) * brightness, 0, 255).astype(np.uint8)
        name = f"picture-{seed}-{width}-{brightness}.png"
        cv2.imwrite(str(self.folder / name), picture)
        return Visual(self.keep(name))

    def speech(self, text: str, *, level: float = 0.25, language: str = "en") -> Speech:
        """A buzz for every word."""
        parts, words, at = [], [], 0
        for number, word in enumerate(text.split()):
            words.append(Word(text=word.strip(".,!?"), start_ms=at, end_ms=at + WORD_MS))
            parts += [_tone(140 + 20 * (number % 5), WORD_MS, level, harmonics=6), _silence(PAUSE_MS)]
            at += WORD_MS + PAUSE_MS
        name = f"speech-{hashlib.sha256((text + str(level)).encode()).hexdigest()[:10]}.wav"
        _write(self.folder / name, np.concatenate(parts))
        return Speech(audio=self.keep(name), text=text, words=words, language=language, voice="buzz", duration_ms=at)

    def music(self, *, level: float = 0.2, seconds: int = 2) -> Music:
        name = f"music-{level}-{seconds}.wav"
        _write(self.folder / name, sum(_tone(note, seconds * 1000, level / 3) for note in (1760, 2217, 2637)))
        return Music(audio=self.keep(name), mood="calm", duration_ms=seconds * 1000)

    def film(self, path: Path, *, seconds: float = 2.0, width: int = 180, height: int = 320) -> Visual:
        """A clip, encoded by PyAV, whose picture moves."""
        import av

        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(round(seconds * 25)):
                picture = np.full((height, width, 3), 90, np.uint8)
                picture[:, number * 3 % width : number * 3 % width + 20] = 230
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return Visual(self.keep(path.name), media="video", duration_ms=round(seconds * 1000))


def heard(path: Path) -> np.ndarray[Any, Any]:
    """What render hears in a file: stereo samples at 48 kHz."""
    with TemporaryDirectory() as folder:
        recording = decode(path, Path(folder) / "sound.f32", "c")
        return recording.part(0, recording.length)


def _tone(hertz: float, milliseconds: int, level: float, harmonics: int = 1) -> Any:
    time = np.arange(RATE * milliseconds // 1000) / RATE
    return sum(level / order * np.sin(2 * np.pi * hertz * order * time) for order in range(1, harmonics + 1))


def _silence(milliseconds: int) -> Any:
    return np.zeros(RATE * milliseconds // 1000)


def _write(path: Path, samples: Any) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def subtitles(speech: Speech, size: int = 3) -> Subtitles:
    """Cues of a few words each."""
    spoken = speech.text.split()
    cues = []
    for start in range(0, len(spoken), size):
        words = speech.words[start : start + size]
        text = " ".join(spoken[start : start + size])
        cues.append(Cue(start_ms=words[0].start_ms, end_ms=words[-1].end_ms, text=text, words=words))
    return Subtitles(cues=cues, language=speech.language)


def script(texts: Sequence[str], *, title: str = "Why the sky is dark", cta: str = "") -> Script:
    """Scenes `s1`, `s2` ... and no others."""
    segments = [Segment(id=f"s{number}", content=text) for number, text in enumerate(texts, start=1)]
    return Script(title=title, segments=segments, cta=cta)


TEXTS = ("The night is dark, but why?", "Light needs time to arrive.", "So we see the past.")


def bindings(shelf: Shelf, texts: Sequence[str] = TEXTS, **changes: Any) -> Bindings:
    """A short film: a picture, a voice and captions for every text, and music."""
    speech = {f"s{number}": shelf.speech(text) for number, text in enumerate(texts, start=1)}
    given: dict[str, Any] = {
        "script": script(texts),
        "visuals": {key: shelf.picture(seed) for seed, key in enumerate(speech)},
        "speech": speech,
        "subtitles": {key: subtitles(spoken) for key, spoken in speech.items()},
        "music": shelf.music(),
        "canvases": (SMALL,),
    }
    return Bindings(**{**given, **changes})


def timeline(shelf: Shelf, texts: Sequence[str] = TEXTS, **changes: Any) -> Timeline:
    return compiled(bindings(shelf, texts, **changes))


def compiled(given: Bindings, name: str = "short") -> Timeline:
    return compile_timeline(shipped(name), given)
