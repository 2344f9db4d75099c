"""The vendored fonts: which face draws a character, how wide it is, and which characters no face can draw."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from fenta.render.captions import emoji
from fenta.render.captions.faces import Face

# Drawn as nothing, so no font has to know them: joiners, direction marks, the guard after a backslash.
INVISIBLE = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\n")


TEXT = Face("Noto Sans Bold", "NotoSans-Bold.ttf")
CAPTION = Face("Noto Sans ExtraBold", "NotoSans-ExtraBold.ttf")
DISPLAY = Face("Noto Sans Black", "NotoSans-Black.ttf")
ARABIC = Face("Noto Sans Arabic ExtraBold", "NotoSansArabic-ExtraBold.ttf")
HEBREW = Face("Noto Sans Hebrew ExtraBold", "NotoSansHebrew-ExtraBold.ttf")
DEVANAGARI = Face("Noto Sans Devanagari ExtraBold", "NotoSansDevanagari-ExtraBold.ttf")
BENGALI = Face("Noto Sans Bengali ExtraBold", "NotoSansBengali-ExtraBold.ttf")
THAI = Face("Noto Sans Thai ExtraBold", "NotoSansThai-ExtraBold.ttf")
CHINESE = Face("Noto Sans SC ExtraBold", "NotoSansSC-ExtraBold.ttf")
JAPANESE = Face("Noto Sans JP ExtraBold", "NotoSansJP-ExtraBold.ttf")
KOREAN = Face("Noto Sans KR ExtraBold", "NotoSansKR-ExtraBold.ttf")
# No file for libass: what this face has is drawn as shapes.
EMOJI = Face("Twemoji", "")
OTHER_SCRIPTS = (ARABIC, HEBREW, DEVANAGARI, BENGALI, THAI, CHINESE, JAPANESE, KOREAN)
# The same Chinese character has other shapes in other languages.
_OF_LANGUAGE = {"ja": JAPANESE, "ko": KOREAN}


@dataclass(frozen=True)
class Metrics:
    """Advance widths in em by character, and the height of libass' font cell in em."""

    advances: dict[str, float]
    cell: float

    def width(self, text: str) -> float:
        return sum(self.advances.get(character, 0.0) for character in text)


EMOJI_WIDTH = 1.12


@cache
def metrics(face: Face) -> Metrics:
    if face is EMOJI:
        return Metrics(dict.fromkeys(emoji.characters(), EMOJI_WIDTH), 1.0)
    # Imported here because the API process compiles timelines and never measures text.
    from fontTools.ttLib import TTFont  # noqa: PLC0415

    with TTFont(face.path, lazy=True) as font:
        em = font["head"].unitsPerEm
        widths, characters = font["hmtx"].metrics, font.getBestCmap()
        cell = (font["OS/2"].usWinAscent + font["OS/2"].usWinDescent) / em
    return Metrics({chr(code): widths[glyph][0] / em for code, glyph in characters.items()}, cell)


def font_size(face: Face, em_pixels: float) -> float:
    """libass measures a font by its cell, not by its em; scripts would differ in size without this."""
    return round(em_pixels * metrics(face).cell, 2)


@dataclass(frozen=True)
class Run:
    """Neighbouring characters that one face draws."""

    face: Face
    text: str

    @property
    def width(self) -> float:
        """In em."""
        return metrics(self.face).width(self.text)


def runs(text: str, face: Face, language: str = "") -> list[Run]:
    """The text cut where the face must change. Spaces and punctuation stay with the script around them."""
    chosen: list[tuple[Face, str]] = []
    faces = _faces(face, language)
    current = _first_face(text, faces)
    for character in text:
        current = _face_for(character, current, faces)
        chosen.append((current, character))
    return [Run(key, "".join(part for _, part in group)) for key, group in groupby(chosen, key=lambda pair: pair[0])]


def _faces(preferred: Face, language: str) -> tuple[Face, ...]:
    """Whom to ask for a character, in this order."""
    own = _OF_LANGUAGE.get(language.partition("-")[0].lower())
    # What a font that people brought does not have is set in ours.
    first = (preferred, CAPTION) if preferred.own else (preferred,)
    return (*first, *((own,) if own else ()), *OTHER_SCRIPTS, EMOJI)


def _first_face(text: str, faces: Sequence[Face]) -> Face:
    letters = (character for character in text if unicodedata.category(character).startswith("L"))
    return _face_for(next(letters, "a"), faces[0], faces)


def _face_for(character: str, current: Face, faces: Sequence[Face]) -> Face:
    if character in INVISIBLE:
        return current
    neutral = not unicodedata.category(character).startswith(("L", "M"))
    candidates = (current, *faces) if neutral else faces
    return next((face for face in candidates if character in metrics(face).advances), faces[0])


def width(text: str, face: Face) -> float:
    """The width of a text in em, without kerning."""
    return sum(run.width for run in runs(text, face))


def draws(character: str) -> bool:
    """Whether any face has the character; emoji apart."""
    return character in INVISIBLE or any(character in metrics(face).advances for face in (CAPTION, *OTHER_SCRIPTS))


def borrowed(text: str, language: str) -> set[str]:
    """Chinese characters that the language's own face lacks, so that they have the shapes of another language."""
    own = _OF_LANGUAGE.get(language.partition("-")[0].lower())
    return {run.text for run in runs(text, CAPTION, language) if own and run.face is CHINESE}
