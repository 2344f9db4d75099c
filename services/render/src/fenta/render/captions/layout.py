"""Cues become lines: words with their times, broken by real widths, never where a script forbids it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fenta.contracts.timeline import CaptionClip
from fenta.render.captions import fonts
from fenta.render.captions.fonts import Face
from fenta.render.captions.text import NEVER_FIRST, NEVER_LAST, drawable, is_wide

MAX_LINES = 2
LONGEST_UNBROKEN = 4
SMALLEST = 0.55


@dataclass(frozen=True)
class Piece:
    """What is highlighted at once: a word with its punctuation; `spaced` says that a space follows it."""

    text: str
    start_ms: int
    end_ms: int
    spaced: bool


@dataclass(frozen=True)
class Chunk:
    """What stands on the screen together: at most two lines. `scale` is below 1 when a word needs it to fit."""

    lines: tuple[tuple[Piece, ...], ...]
    start_ms: int
    end_ms: int
    scale: float = 1.0
    timed: bool = True

    @property
    def pieces(self) -> list[Piece]:
        return [piece for line in self.lines for piece in line]


def line_text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text + (" " if piece.spaced else "") for piece in pieces).rstrip()


def chunks(clip: CaptionClip, *, face: Face, max_width: float) -> list[Chunk]:
    """Cut one cue for the screen; `max_width` is in em. Text that cannot be drawn gives nothing."""
    pieces = _pieces(clip)
    if not pieces:
        return []
    end = clip.start_ms + clip.duration_ms
    lines = [tuple(line) for line in _greedy(pieces, face, max_width)]
    groups = [_balanced(lines[at : at + MAX_LINES], face) for at in range(0, len(lines), MAX_LINES)]
    starts = [clip.start_ms, *(group[0][0].start_ms for group in groups[1:]), end]
    return [
        Chunk(group, start, stop, _scale(group, face, max_width), bool(clip.words))
        for group, (start, stop) in zip(groups, pairwise(starts), strict=True)
    ]


def wrap(text: str, *, face: Face, max_width: float) -> list[str]:
    """Break a text without times into balanced lines; `max_width` is in em."""
    pieces = _untimed(drawable(text), 0, 0)
    lines = [tuple(line) for line in _greedy(pieces, face, max_width)]
    return [line_text(line) for line in _balanced(lines, face)]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _pieces(clip: CaptionClip) -> list[Piece]:
    text = drawable(clip.text)
    timed = _timed(clip, text) if clip.words else None
    pieces = timed if timed is not None else _untimed(text, clip.start_ms, clip.start_ms + clip.duration_ms)
    return [part for piece in pieces if piece.text for part in _parts(piece)]


def _timed(clip: CaptionClip, text: str) -> list[Piece] | None:
    """The words at their places in the text, with the punctuation between them; None when they do not stand there."""
    spans: list[tuple[int, int]] = []
    words = [(drawable(word.text), word) for word in clip.words]
    cursor = 0
    for shown, _ in words:
        at = text.find(shown, cursor)
        if at < 0:
            return [Piece(shown, word.start_ms, word.end_ms, True) for shown, word in words]
        cursor = at + len(shown)
        spans.append((at, cursor))
    borders = [0, *(_border(text, end, start) for (_, end), (start, _) in pairwise(spans)), len(text)]
    cut = [text[start:end] for start, end in pairwise(borders)]
    return [
        Piece(part.strip(), word.start_ms, word.end_ms, part.endswith(" "))
        for part, (_, word) in zip(cut, words, strict=True)
    ]


def _border(text: str, end: int, start: int) -> int:
    """Where, between two words, the second one's own punctuation begins."""
    between = text[end:start]
    if " " in between:
        return end + between.rindex(" ") + 1
    opening = next((index for index, character in enumerate(between) if character in NEVER_LAST), len(between))
    return end + opening


def _untimed(text: str, start_ms: int, end_ms: int) -> list[Piece]:
    words = text.split(" ")
    shares = _shares([len(word) for word in words], start_ms, end_ms)
    pieces = [Piece(word, start, end, True) for word, (start, end) in zip(words, shares, strict=True)]
    return [part for piece in pieces for part in _parts(piece)]


def _shares(lengths: Sequence[int], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The time from start to end, dealt out by length."""
    total = max(1, sum(lengths))
    borders = [start_ms + (end_ms - start_ms) * sum(lengths[:index]) // total for index in range(len(lengths) + 1)]
    return list(pairwise(borders))


def _parts(piece: Piece) -> list[Piece]:
    """A long stretch without spaces, character by character, so that lines can be broken in it."""
    if len(piece.text) <= LONGEST_UNBROKEN or not any(map(is_wide, piece.text)):
        return [piece]
    texts = _characters(piece.text)
    shares = _shares([len(text) for text in texts], piece.start_ms, piece.end_ms)
    parts = [Piece(text, start, end, False) for text, (start, end) in zip(texts, shares, strict=True)]
    return [*parts[:-1], replace(parts[-1], spaced=piece.spaced)]


def _characters(text: str) -> list[str]:
    """Wide characters alone, words of other scripts whole, punctuation with the character it must not leave."""
    parts: list[str] = []
    for character in text:
        if parts and _belongs(parts[-1], character):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _belongs(before: str, character: str) -> bool:
    together = not is_wide(before[-1]) and not is_wide(character)
    return character in NEVER_FIRST or before[-1] in NEVER_LAST or together


# --- lines ------------------------------------------------------------------------------------------------------------


def _greedy(pieces: Sequence[Piece], face: Face, max_width: float) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    for piece in pieces:
        if lines and _stays(lines[-1], piece, face, max_width):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return lines


def _stays(line: list[Piece], piece: Piece, face: Face, max_width: float) -> bool:
    return not _may_break(line[-1], piece) or _width([*line, piece], face) <= max_width


def _may_break(before: Piece, after: Piece) -> bool:
    return after.text[:1] not in NEVER_FIRST and before.text[-1:] not in NEVER_LAST


def _balanced(lines: Sequence[tuple[Piece, ...]], face: Face) -> tuple[tuple[Piece, ...], ...]:
    """As many lines, with the longest of them as short as can be."""
    pieces = [piece for line in lines for piece in line]
    widths = [_width([piece], face) for piece in pieces]
    longest = max((_width(line, face) for line in lines), default=0)
    narrow = max(max(widths, default=0), sum(widths) / max(1, len(lines)))
    best = tuple(lines)
    while narrow < longest:
        tried = [tuple(line) for line in _greedy(pieces, face, narrow)]
        if len(tried) <= len(lines):
            return tuple(tried)
        narrow += 0.25
    return best


def _width(pieces: Sequence[Piece], face: Face) -> float:
    return fonts.width(line_text(pieces), face)


def _scale(lines: Sequence[Sequence[Piece]], face: Face, max_width: float) -> float:
    return max(SMALLEST, min(1.0, max_width / max(_width(line, face) for line in lines)))
