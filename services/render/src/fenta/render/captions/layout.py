"""Cues become lines: words with their times, broken by real widths, never where a script forbids it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fenta.contracts.timeline import CaptionClip, CaptionWord
from fenta.render.captions import fonts
from fenta.render.captions.faces import Face
from fenta.render.captions.glyphs import drawable
from fenta.render.captions.phrases import phrases
from fenta.render.captions.text import NEVER_FIRST, NEVER_LAST, clusters, is_unspaced

MAX_LINES = 2
LONGEST_UNBROKEN = 4
SMALLEST = 0.7
# A word alone in its line looks lost when it is shorter than this share of the longest line.
ORPHAN = 0.4


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


Lines = tuple[tuple[Piece, ...], ...]


def line_text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text + (" " if piece.spaced else "") for piece in pieces).rstrip()


def chunks(clip: CaptionClip, *, face: Face, max_width: float) -> list[Chunk]:
    """Cut one cue for the screen; `max_width` is in em. Text that cannot be drawn gives nothing."""
    pieces = [part for piece in _pieces(clip) for part in _fitting(piece, face, max_width)]
    if not pieces:
        return []
    end = clip.start_ms + clip.duration_ms
    lines = _broken(pieces, face, max_width)
    groups = [lines[at : at + MAX_LINES] for at in range(0, len(lines), MAX_LINES)]
    starts = [clip.start_ms, *(group[0][0].start_ms for group in groups[1:]), end]
    return [
        Chunk(group, start, stop, _scale(group, face, max_width), bool(clip.words))
        for group, (start, stop) in zip(groups, pairwise(starts), strict=True)
    ]


def one_by_one(chunk: Chunk, face: Face, max_width: float) -> list[Chunk]:
    """Each word of a chunk alone, until the next one is said."""
    pieces = chunk.pieces
    starts = [chunk.start_ms, *(piece.start_ms for piece in pieces[1:]), chunk.end_ms]
    return [
        Chunk(((piece,),), start, end, _scale([[piece]], face, max_width), chunk.timed)
        for piece, (start, end) in zip(pieces, pairwise(starts), strict=True)
        if end > start
    ]


def wrap(text: str, *, face: Face, max_width: float) -> list[str]:
    """Break a text without times into balanced lines; `max_width` is in em."""
    pieces = [part for piece in _untimed(drawable(text), 0, 0) for part in _fitting(piece, face, max_width)]
    return [line_text(line) for line in _broken(pieces, face, max_width)]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _pieces(clip: CaptionClip) -> list[Piece]:
    text = drawable(clip.text)
    pieces = _timed(clip, text) or _untimed(text, clip.start_ms, clip.start_ms + clip.duration_ms)
    return [part for piece in pieces if piece.text for part in _parts(piece)]


def _timed(clip: CaptionClip, text: str) -> list[Piece]:
    """The words at their places in the text, with the punctuation between them.

    What is shown is the text. A word that does not stand in it (a voice may read `13.8` as three) gives it no time
    of its own; without any that does, there are no pieces.
    """
    found = list(_found(clip.words, text))
    spans = [span for _, span in found]
    inner = [_border(text, end, start) for (_, end), (start, _) in pairwise(spans)]
    cut = [text[start:end] for start, end in pairwise([0, *inner, len(text)])]
    return [
        Piece(part.strip(), word.start_ms, word.end_ms, part.endswith(" "))
        for part, (word, _) in zip(cut, found, strict=False)
    ]


def _found(words: Sequence[CaptionWord], text: str) -> Iterator[tuple[CaptionWord, tuple[int, int]]]:
    cursor = 0
    for word in words:
        shown = drawable(word.text)
        at = text.find(shown, cursor)
        if shown and at >= 0:
            cursor = at + len(shown)
            yield word, (at, cursor)


def _border(text: str, end: int, start: int) -> int:
    """Where, between two words, the second one's own punctuation begins."""
    between = text[end:start]
    if " " in between:
        return end + between.rindex(" ") + 1
    opening = next((index for index, character in enumerate(between) if character in NEVER_LAST), len(between))
    return end + opening


def _untimed(text: str, start_ms: int, end_ms: int) -> list[Piece]:
    return _parts(Piece(text, start_ms, end_ms, True)) if text else []


def _shares(lengths: Sequence[int], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The time from start to end, dealt out by length."""
    total = max(1, sum(lengths))
    borders = [start_ms + (end_ms - start_ms) * sum(lengths[:index]) // total for index in range(len(lengths) + 1)]
    return list(pairwise(borders))


def _parts(piece: Piece) -> list[Piece]:
    """A piece of several words, or a long one of a script without spaces, cut where lines may be broken in it."""
    if " " in piece.text:
        words = _divided(piece, piece.text.split(" "), spaced=True)
        return [part for word in words for part in _parts(word)]
    if len(piece.text) > LONGEST_UNBROKEN and any(map(is_unspaced, piece.text)):
        return _divided(piece, phrases(piece.text), spaced=False)
    return [piece]


def _fitting(piece: Piece, face: Face, max_width: float) -> list[Piece]:
    """A word that would not even fit when drawn smaller is cut; a web address may be as long as it likes."""
    width = fonts.width(piece.text, face)
    if width * SMALLEST <= max_width:
        return [piece]
    letters = clusters(piece.text)
    step = max(1, int(len(letters) * max_width / width))
    texts = ["".join(letters[at : at + step]) for at in range(0, len(letters), step)]
    return _divided(piece, texts, spaced=False)


def _divided(piece: Piece, texts: Sequence[str], *, spaced: bool) -> list[Piece]:
    shares = _shares([len(text) for text in texts], piece.start_ms, piece.end_ms)
    parts = [Piece(text, start, end, spaced) for text, (start, end) in zip(texts, shares, strict=True)]
    return [*parts[:-1], replace(parts[-1], spaced=piece.spaced)]


# --- lines ------------------------------------------------------------------------------------------------------------


def _broken(pieces: Sequence[Piece], face: Face, max_width: float) -> Lines:
    """As few lines as there can be, even ones, none of them with a small word alone where that can be helped."""
    lines = _balanced([tuple(line) for line in _greedy(pieces, face, max_width)], face)
    if not _orphans(lines, face):
        return lines
    others = _evenly(pieces, face, max_width, len(lines))
    return others if others and _orphans(others, face) < _orphans(lines, face) else lines


def _orphans(lines: Lines, face: Face) -> int:
    """How many lines are a lone word that is small beside the others, or stands on the screen after all of them."""
    widths = [_width(line, face) for line in lines]
    last = len(lines) > 1 and len(lines) % MAX_LINES == 1 and len(lines[-1]) == 1
    small = [len(line) == 1 and width < ORPHAN * max(widths) for line, width in zip(lines, widths, strict=True)]
    return sum(small) + last


def _evenly(pieces: Sequence[Piece], face: Face, max_width: float, count: int) -> Lines | None:
    """The breaks into so many lines of which the lines differ least, a lone word counting as much as a long gap."""
    ideal = _width(pieces, face) / count
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for _ in range(count):
        reached: dict[int, tuple[float, int]] = {}
        for first, (cost, _before) in best[-1].items():
            for last, width in _lines_from(pieces, first, face, max_width):
                lone = last == first + 1 and (width < ORPHAN * max_width or last == len(pieces))
                total = cost + (width / ideal - 1) ** 2 + lone
                if total < reached.get(last, (float("inf"), 0))[0]:
                    reached[last] = total, first
        best.append(reached)
    return _walked_back(pieces, best) if len(pieces) in best[-1] else None


def _lines_from(pieces: Sequence[Piece], first: int, face: Face, max_width: float) -> Iterator[tuple[int, float]]:
    """Where a line that begins here may end, and how wide it then is."""
    for last in range(first + 1, len(pieces) + 1):
        width = _width(pieces[first:last], face)
        if width > max_width and last > first + 1:
            return
        if last == len(pieces) or _may_break(pieces[last - 1], pieces[last]):
            yield last, width


def _walked_back(pieces: Sequence[Piece], best: Sequence[dict[int, tuple[float, int]]]) -> Lines:
    lines: list[tuple[Piece, ...]] = []
    last = len(pieces)
    for reached in reversed(best[1:]):
        first = reached[last][1]
        lines.append(tuple(pieces[first:last]))
        last = first
    return tuple(reversed(lines))


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


def _balanced(lines: Sequence[tuple[Piece, ...]], face: Face) -> Lines:
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
