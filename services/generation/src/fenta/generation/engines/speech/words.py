"""Joins what espeak heard to the words of the text: every word once, in order, with its punctuation and its time."""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from fenta.contracts.documents import Word

# Scripts that set no spaces between words: each character is timed on its own.
_UNSPACED = r"\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECES = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
SHORTEST_WORD_MS = 20


@dataclass(frozen=True)
class Token:
    """A word of the text and where it stands, punctuation included."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of a text; signs that nobody speaks belong to the word before them (the first ones to the next)."""
    joined: list[Token] = []
    opening: Token | None = None
    for match in _PIECES.finditer(text):
        piece = Token(match[0], *match.span())
        if _is_spoken(piece.text):
            joined.append(_join(text, opening, piece) if opening else piece)
            opening = None
        elif joined:
            joined[-1] = _join(text, joined[-1], piece)
        else:
            opening = _join(text, opening, piece) if opening else piece
    return joined


def readable(text: str) -> str:
    """Pictures are not read out; each gives way to one space, so that positions stay."""
    return "".join(" " if unicodedata.category(character) == "So" else character for character in text)


def _is_spoken(piece: str) -> bool:
    return any(unicodedata.category(character)[0] in "LN" for character in piece)


def _join(text: str, first: Token, last: Token) -> Token:
    return Token(text[first.start : last.end], first.start, last.end)


def timed(text: str, heard: list[tuple[int, int]], duration_ms: int) -> list[Word]:
    """Words with their times, from the (character, ms) pairs that were heard.

    Words that were not announced share the time of their neighbours by their length; a word ends where the next begins.
    """
    spoken = tokens(text)
    starts = _spread(spoken, _anchors(spoken, heard, duration_ms), duration_ms)
    ends = [*starts, duration_ms][1:]
    return [
        Word(text=token.text, start_ms=start, end_ms=max(start, end))
        for token, start, end in zip(spoken, starts, ends, strict=True)
    ]


def _anchors(spoken: list[Token], heard: list[tuple[int, int]], duration_ms: int) -> dict[int, int]:
    """The first time at which each token was heard, as long as times and tokens both rise."""
    anchors: dict[int, int] = {}
    latest = (-1, -1)
    for character, ms in heard:
        index = _token_at(spoken, character)
        if index is not None and index > latest[0] and latest[1] <= ms < duration_ms:
            anchors[index] = ms
            latest = (index, ms)
    return anchors


def _token_at(spoken: list[Token], character: int) -> int | None:
    low, high = 0, len(spoken)
    while low < high:
        middle = (low + high) // 2
        if spoken[middle].end <= character:
            low = middle + 1
        else:
            high = middle
    return low if low < len(spoken) and spoken[low].start <= character else None


def _spread(spoken: list[Token], anchors: dict[int, int], duration_ms: int) -> list[int]:
    if not spoken:
        return []
    anchors = {0: 0, **anchors}
    known = [*sorted(anchors), len(spoken)]
    starts: list[int] = []
    for first, after in pairwise(known):
        begin = anchors[first]
        end = anchors.get(after, duration_ms)
        lengths = [len(token.text) for token in spoken[first:after]]
        total = sum(lengths)
        starts += [begin + (end - begin) * sum(lengths[:index]) // total for index in range(len(lengths))]
    return starts


def without_pauses(words: list[Word], loud_ms: list[bool], step_ms: int) -> list[Word]:
    """Let every word end where its sound ends; `loud_ms` says of each `step_ms` whether something is heard."""
    return [word.model_copy(update={"end_ms": _sound_end(word, loud_ms, step_ms)}) for word in words]


def _sound_end(word: Word, loud: list[bool], step_ms: int) -> int:
    frame = min(len(loud), word.end_ms // step_ms)
    first = word.start_ms // step_ms
    while frame > first and not loud[frame - 1]:
        frame -= 1
    heard_until = min(word.end_ms, frame * step_ms)
    return max(heard_until, min(word.end_ms, word.start_ms + SHORTEST_WORD_MS))
