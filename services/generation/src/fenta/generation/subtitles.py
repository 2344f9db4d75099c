"""Cuts the words of a speech into captions: breaks where the sentence breathes, no word left alone."""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from fenta.contracts.documents import Cue, Speech, Subtitles, Word
from fenta.generation.punctuation import CLAUSE_ENDS, CLOSING_QUOTES, SENTENCE_ENDS

Direction = Literal["ltr", "rtl"]
Highlight = Literal["word", "line", "none"]

RIGHT_TO_LEFT = frozenset({"ar", "ary", "he", "fa", "ur"})
LINGER_MS = 200
_SENTENCE_END = re.compile(rf"[{SENTENCE_ENDS}][{CLOSING_QUOTES}]*$")
_CLAUSE_END = re.compile(rf"[{CLAUSE_ENDS}][{CLOSING_QUOTES}]*$")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")

# What a reader minds, in order: a caption that runs over a full stop, a lone word, a cut inside a clause, ragged lines.
OVER_A_SENTENCE = 40.0
LONE_WORD = 25.0
INSIDE_A_CLAUSE = 6.0
EACH_CUE = 8.0


@dataclass(frozen=True)
class Layout:
    """How much fits: characters a line, lines a caption."""

    max_chars: int = 32
    max_lines: int = 2


def cut(
    speech: Speech,
    layout: Layout,
    *,
    highlight: Highlight = "word",
    language: str | None = None,
    direction: Literal["auto", "ltr", "rtl"] = "auto",
) -> Subtitles:
    """Captions for a speech; their times are local to it."""
    words = list(speech.words)
    spans = _spans(words, layout)
    cues = [_cue(words[first:last], layout) for first, last in spans]
    spoken = language or speech.language
    return Subtitles(
        cues=_lingering(cues, speech.duration_ms),
        language=spoken,
        direction=direction_of(spoken, speech.text) if direction == "auto" else direction,
        highlight=highlight,
    )


def direction_of(language: str, text: str) -> Direction:
    """By the first letter that has a direction; by the language where no letter has one."""
    for character in text:
        bidirectional = unicodedata.bidirectional(character)
        if bidirectional in ("L", "R", "AL"):
            return "ltr" if bidirectional == "L" else "rtl"
    return "rtl" if language.split("-", 1)[0] in RIGHT_TO_LEFT else "ltr"


def _spans(words: list[Word], layout: Layout) -> list[tuple[int, int]]:
    """The cheapest way to cut the words into captions, by dynamic programming."""
    best: list[tuple[float, int]] = [(0.0, 0)] + [(math.inf, 0)] * len(words)
    for first in range(len(words)):
        for last in range(first + 1, len(words) + 1):
            part = words[first:last]
            if last > first + 1 and not _fits(part, layout):
                break
            cost = best[first][0] + _cost(part, ends_all=last == len(words))
            if cost < best[last][0]:
                best[last] = (cost, first)
    return _walked_back(best)


def _walked_back(best: list[tuple[float, int]]) -> list[tuple[int, int]]:
    spans = []
    last = len(best) - 1
    while last > 0:
        first = best[last][1]
        spans.append((first, last))
        last = first
    return spans[::-1]


def _fits(words: list[Word], layout: Layout) -> bool:
    return len(_lines(words, layout.max_chars)) <= layout.max_lines


def _lines(words: list[Word], max_chars: int) -> list[list[Word]]:
    """Filled from the first line on; a word longer than a line stands alone."""
    lines: list[list[Word]] = []
    for word in words:
        if lines and len(joined([*lines[-1], word])) <= max_chars:
            lines[-1].append(word)
        else:
            lines.append([word])
    return lines


def _cost(words: list[Word], *, ends_all: bool) -> float:
    cost = EACH_CUE + OVER_A_SENTENCE * sum(bool(_SENTENCE_END.search(word.text)) for word in words[:-1])
    if len(words) == 1 and not (_SENTENCE_END.search(words[0].text) and len(words[0].text) > 12):
        cost += LONE_WORD
    last = words[-1].text
    if not ends_all and not _SENTENCE_END.search(last) and not _CLAUSE_END.search(last):
        cost += INSIDE_A_CLAUSE
    return cost


def _cue(words: list[Word], layout: Layout) -> Cue:
    text = "\n".join(joined(line) for line in _balanced(words, layout))
    return Cue(start_ms=words[0].start_ms, end_ms=words[-1].end_ms, text=text, words=words)


def _balanced(words: list[Word], layout: Layout) -> list[list[Word]]:
    """As few lines as possible, as even as possible: the narrowest width that needs no line more."""
    count = len(_lines(words, layout.max_chars))
    low, high = 1, layout.max_chars
    while low < high:
        middle = (low + high) // 2
        if len(_lines(words, middle)) <= count:
            high = middle
        else:
            low = middle + 1
    return _lines(words, low)


def joined(words: list[Word]) -> str:
    """Words as a line of text: no space between characters of scripts that have none."""
    text = ""
    for word in words:
        unspaced = bool(text) and bool(_UNSPACED.search(word.text[:1])) and bool(_UNSPACED.search(_last_letter(text)))
        text += word.text if unspaced or not text else f" {word.text}"
    return text


def _last_letter(text: str) -> str:
    return next((character for character in reversed(text) if character.isalnum()), "")


def _lingering(cues: list[Cue], duration_ms: int) -> list[Cue]:
    """Captions stay a moment after their last word, but never into the next."""
    limits = [*(cue.start_ms for cue in cues), duration_ms][1:]
    return [
        cue.model_copy(update={"end_ms": max(cue.end_ms, min(cue.end_ms + LINGER_MS, limit))})
        for cue, limit in zip(cues, limits, strict=True)
    ]
