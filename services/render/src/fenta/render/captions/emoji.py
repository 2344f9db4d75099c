"""Emoji: which sequences of characters are one, and each of them as a pile of coloured shapes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

FONT = Path(__file__).parent.parent / "emoji" / "Twemoji.ttf"
# While a text is laid out, each emoji is one character of this plane of private ones, however many it was typed with.
FIRST, LAST = "\U000f0000", "\U000ffffd"
ANYWHERE = f"[{FIRST}-{LAST}]"

# Without one of these there is no emoji in a text, and the font need not be read.
_MAYBE = re.compile("[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff]")

AS_TEXT, AS_EMOJI = "\ufe0e", "\ufe0f"
_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
# Glyphs fill a square of this side, in units of the font, whose bottom lies below the baseline.
_SIDE, _BOTTOM = 512, -64


Point = tuple[float, float]
Command = tuple[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Shape:
    """A part of an emoji in one colour. `path` has commands of m, l and b with points in shares of a square from its
    top left corner."""

    colour: str
    opacity: float
    path: tuple[Command, ...]


def is_emoji(character: str) -> bool:
    """Whether it stands for an emoji in a text that went through `marked`."""
    return FIRST <= character <= LAST


def marked(text: str, is_letter: Callable[[str], bool]) -> str:
    """The text with each emoji as one character.

    Of sequences the longest known one is taken; what joins unknown ones is left to others. A sign that fonts have as
    well (`is_letter`) is an emoji only where the writer says so.
    """
    return "".join(_marked(_signs(text), is_letter)) if _MAYBE.search(text) else text


def characters() -> Sequence[str]:
    """Of all emoji there are, in the order of their sequences."""
    return [chr(ord(FIRST) + number) for number in range(len(_glyphs()))]


def written(character: str) -> str:
    """What is typed for an emoji; any other character is itself."""
    return list(_by_sequence())[ord(character) - ord(FIRST)] if is_emoji(character) else character


def shapes(character: str) -> tuple[Shape, ...]:
    """From the lowest to the highest."""
    return _shapes(_glyphs()[ord(character) - ord(FIRST)])


# --- sequences --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sign:
    """A character and what the selector behind it says of its form."""

    character: str
    form: str = ""


def _signs(text: str) -> list[_Sign]:
    found: list[_Sign] = []
    for character in text:
        if character in {AS_TEXT, AS_EMOJI} and found:
            found[-1] = _Sign(found[-1].character, character)
        else:
            found.append(_Sign(character))
    return found


def _marked(signs: Sequence[_Sign], is_letter: Callable[[str], bool]) -> Iterator[str]:
    known, at = _known(), 0
    while at < len(signs):
        length = next((size for size in _lengths(signs[at]) if _sequence(signs[at : at + size]) in known), 0)
        if not length or (length == 1 and _is_written(signs[at], is_letter)):
            yield signs[at].character
            at += 1
            continue
        yield known[_sequence(signs[at : at + length])]
        at += length
        # A tone that this emoji does not come in would stand beside it as a patch of colour.
        at += at < len(signs) and signs[at].character in _TONES


def _is_written(sign: _Sign, is_letter: Callable[[str], bool]) -> bool:
    return sign.form != AS_EMOJI and is_letter(sign.character)


def _sequence(signs: Sequence[_Sign]) -> str:
    return "".join(sign.character for sign in signs)


def _lengths(first: _Sign) -> Sequence[int]:
    return _lengths_by_first().get(first.character, ())


@cache
def _lengths_by_first() -> Mapping[str, Sequence[int]]:
    """How long sequences that begin with a character may be, the longest first."""
    found: dict[str, set[int]] = {}
    for sequence in _known():
        found.setdefault(sequence[0], set()).add(len(sequence))
    return {first: sorted(lengths, reverse=True) for first, lengths in found.items()}


# --- the font ---------------------------------------------------------------------------------------------------------


@cache
def _font() -> TTFont:
    return TTFont(FONT, lazy=True)


@cache
def _by_sequence() -> Mapping[str, str]:
    """The font's names of glyphs by what is typed for them, without selectors."""
    font = _font()
    single = {chr(code): name for code, name in font.getBestCmap().items()}
    written = {name: character for character, name in single.items()}
    joined = {
        "".join(written[part] for part in (first, *ligature.Component)): ligature.LigGlyph
        for lookup in font["GSUB"].table.LookupList.Lookup
        for table in lookup.SubTable
        for first, ligatures in table.ligatures.items()
        for ligature in ligatures
    }
    plain = {sequence.replace(AS_EMOJI, ""): name for sequence, name in (single | joined).items()}
    drawn = font["COLR"].ColorLayers
    return {sequence: plain[sequence] for sequence in sorted(plain) if sequence and plain[sequence] in drawn}


@cache
def _glyphs() -> Sequence[str]:
    return list(_by_sequence().values())


@cache
def _known() -> Mapping[str, str]:
    return dict(zip(_by_sequence(), characters(), strict=True))


@cache
def _shapes(glyph: str) -> tuple[Shape, ...]:
    font = _font()
    palette = font["CPAL"].palettes[0]
    found = ((palette[layer.colorID], layer.name) for layer in font["COLR"].ColorLayers[glyph])
    return tuple(
        Shape(f"#{colour.red:02X}{colour.green:02X}{colour.blue:02X}", colour.alpha / 255, _path(name))
        for colour, name in found
    )


def _path(glyph: str) -> tuple[Command, ...]:
    glyphs = _font().getGlyphSet()
    pen = _Pen(glyphs)
    glyphs[glyph].draw(pen)
    return tuple(pen.commands)


class _Pen(BasePen):  # type: ignore[misc]
    """Writes down an outline; curves come as cubic ones, whatever the font has."""

    def __init__(self, glyphs: Any) -> None:
        super().__init__(glyphs)
        self.commands: list[Command] = []

    def _moveTo(self, point: Point) -> None:
        self._write("m", point)

    def _lineTo(self, point: Point) -> None:
        self._write("l", point)

    def _curveToOne(self, first: Point, second: Point, end: Point) -> None:
        self._write("b", first, second, end)

    def _write(self, name: str, *points: Point) -> None:
        self.commands.append((name, tuple((x / _SIDE, (_SIDE + _BOTTOM - y) / _SIDE) for x, y in points)))
