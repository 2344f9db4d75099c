"""espeak-ng through ctypes: sound, and the time of every word. It is GPL-3, so it lives in helper processes only."""

import _ctypes
import atexit
import ctypes
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import espeakng_loader

SYNCHRONOUS = 2
DO_NOT_EXIT = 0x8000
CHARACTERS_AS_POSITION = 1
TEXT_IS_UTF8 = 1
WORD, END_OF_CLAUSE, NO_MORE = 1, 5, 0
RATE, PITCH, RANGE = 1, 3, 4
# espeak-ng refuses longer data paths (seen at 177 characters) with a misleading message.
LONGEST_DATA_PATH = 120


class _Identity(ctypes.Union):
    _fields_: ClassVar[Any] = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("identity", _Identity),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass
class Utterance:
    """16-bit mono sound, and what was heard when: word starts as (character, ms), clause ends in ms."""

    sample_rate: int
    sound: bytearray = field(default_factory=bytearray)
    words: list[tuple[int, int]] = field(default_factory=list)
    clause_ends_ms: list[int] = field(default_factory=list)


class EspeakError(RuntimeError):
    """The library refused; its state is still sound."""


@contextmanager
def opened() -> "Iterator[Espeak]":
    """A library in the state of its birth: left-over state would make the same text sound a little different."""
    espeak = Espeak()
    try:
        yield espeak
    finally:
        espeak.close()


class Espeak:
    """The library; it keeps global state and knows no threads."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = _short_data_path(Path(espeakng_loader.get_data_path()))
        self.sample_rate: int = self._library.espeak_Initialize(SYNCHRONOUS, 0, str(data).encode(), DO_NOT_EXIT)
        if self.sample_rate <= 0:
            raise EspeakError("espeak-ng found no data")
        # Breath is noise, seeded by the clock unless told otherwise.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._utterance = Utterance(self.sample_rate)
        # The callback must stay referenced for as long as the library may call it.
        self._callback = _CALLBACK(self._heard)
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth.argtypes = [
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip

    def close(self) -> None:
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)

    def say(self, text: str, voice: str, *, words_per_minute: int, pitch: int, pitch_range: int) -> Utterance:
        """Speak a text. Raises EspeakError for an unknown voice."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise EspeakError(f"espeak-ng has no voice {voice}")
        for parameter, value in ((RATE, words_per_minute), (PITCH, pitch), (RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._utterance = Utterance(self.sample_rate)
        data = text.encode() + b"\0"
        if self._library.espeak_Synth(data, len(data), 0, CHARACTERS_AS_POSITION, 0, TEXT_IS_UTF8, None, None):
            raise EspeakError("espeak-ng could not speak")
        self._library.espeak_Synchronize()
        return self._utterance

    def _heard(self, sound: Any, count: int, events: Any) -> int:
        if count > 0 and sound:
            self._utterance.sound += ctypes.string_at(sound, count * 2)
        index = 0
        while events[index].type != NO_MORE:
            self._note(events[index])
            index += 1
        return 0

    def _note(self, event: Any) -> None:
        if event.type == WORD:
            self._utterance.words.append((event.text_position - 1, event.audio_position))
        elif event.type == END_OF_CLAUSE:
            self._utterance.clause_ends_ms.append(event.audio_position)


@cache
def _short_data_path(data: Path) -> Path:
    if len(str(data)) <= LONGEST_DATA_PATH:
        return data
    folder = Path(tempfile.mkdtemp(prefix="espeak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / "data"
    link.symlink_to(data, target_is_directory=True)
    return link
