"""A provider in memory that can be slow, fail, keep silent after it accepted, or hand out broken files."""

import struct
import wave
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fenta.generation.providers import ProviderError, TaskUnknown, UnclearAnswer
from fenta.generation.providers.products import MadeFile, Product, Progress
from fenta.generation.providers.requests import ImageRequest, MusicRequest, Request, SpeechRequest

Plan = Callable[[Request], "Behaviour"]


@dataclass(frozen=True)
class Behaviour:
    """What happens to one call. `polls` is how often it is still working when asked."""

    polls: int = 0
    refusal: ProviderError | None = None
    failure: ProviderError | None = None
    silent: bool = False
    forgetful: bool = False
    corrupt: bool = False


@dataclass
class _Task:
    request: Request
    key: str
    behaviour: Behaviour
    polled: int = 0
    cancelled: bool = False


@dataclass
class FakeProvider:
    """Behaves as planned per request; remembers every accepted call in `calls`, as (key, request)."""

    name: str = "fake"
    finds_all: bool = False
    plan: Plan = field(default=lambda _request: Behaviour())
    calls: list[tuple[str, Request]] = field(default_factory=list)
    _tasks: dict[str, _Task] = field(default_factory=dict)

    async def submit(self, request: Request, *, key: str) -> str:
        behaviour = self.plan(request)
        if behaviour.refusal:
            raise behaviour.refusal
        self.calls.append((key, request))
        task_id = f"fake_{len(self.calls)}"
        if not behaviour.forgetful:
            self._tasks[task_id] = _Task(request, key, behaviour)
        if behaviour.silent or behaviour.forgetful:
            raise UnclearAnswer("no_answer", "The connection broke after the request was sent.")
        return task_id

    async def poll(self, task_id: str) -> Progress:
        task = self._task(task_id)
        task.polled += 1
        if task.cancelled:
            return Progress(state="cancelled")
        if task.polled <= task.behaviour.polls:
            return Progress(state="working", percent=100 * task.polled // (task.behaviour.polls + 1))
        if task.behaviour.failure:
            return Progress(state="failed", error=task.behaviour.failure.problem())
        return Progress(state="done", percent=100)

    async def fetch(self, task_id: str, folder: Path) -> Product:
        task = self._task(task_id)
        product = _made(task.request, folder)
        if task.behaviour.corrupt:
            _cut_in_half([folder / file.name for file in product.files])
        return product

    async def find(self, key: str) -> str | None:
        return next((task_id for task_id, task in reversed(self._tasks.items()) if task.key == key), None)

    async def cancel(self, task_id: str) -> None:
        if task := self._tasks.get(task_id):
            task.cancelled = True

    def _task(self, task_id: str) -> _Task:
        if task_id not in self._tasks:
            raise TaskUnknown(task_id)
        return self._tasks[task_id]


def _cut_in_half(paths: list[Path]) -> None:
    for path in paths:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])


def _made(request: Request, folder: Path) -> Product:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(request, ImageRequest):
        return Product(files=tuple(_picture(request, folder / f"{n}.png") for n in range(request.count)))
    if isinstance(request, SpeechRequest | MusicRequest):
        return _sound(request, folder)
    return Product(document={"title": request.kind})


def _picture(request: ImageRequest, path: Path) -> MadeFile:
    path.write_bytes(_grey_picture(request.width, request.height))
    return MadeFile(name=path.name, kind="image", media_type="image/png")


def _grey_picture(width: int, height: int) -> bytes:
    """The smallest PNG there is: one grey for all."""
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _sound(request: SpeechRequest | MusicRequest, folder: Path) -> Product:
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\x10" * 8000)
    file = MadeFile(name="sound.wav", kind="audio", media_type="audio/wav", duration_ms=1000)
    return Product(
        files=(file,),
        document=_said(request) if isinstance(request, SpeechRequest) else {"mood": "calm", "duration_ms": 1000},
    )


def _said(request: SpeechRequest) -> dict[str, object]:
    words = [{"text": word, "start_ms": 0, "end_ms": 1000} for word in request.text.split()]
    return {
        "text": request.text, "words": words, "language": request.language,
        "voice": request.voice, "duration_ms": 1000, "sample_rate": 8000,
    }  # fmt: skip
