"""What other people wrote, made safe for captions: no markup, no control characters."""

import re
import unicodedata

# What chooses the form of an emoji or holds its parts together, and shows nothing alone.
_TAGS = re.compile("[\U000e0020-\U000e007f]")
_SILENT = re.compile("[\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]")
_JOINER_OF_EMOJI = re.compile("(?<![\\w])\u200d|\u200d(?![\\w])")
_SPACES = re.compile(r"\s+")
_KEPT_FORMATS = frozenset("\u200c\u200d")

# A backslash has no escape of its own in ASS; an invisible character behind it takes its power away.
_WORD_JOINER = "\u2060"

# A line must not begin with one of these, nor end with one of those.
NEVER_FIRST = frozenset("，。、！？：；）」』】》〉”’…—～·,.!?:;)]}%»،؛؟")  # noqa: RUF001
_VIRAMAS = frozenset("\u094d\u09cd")
NEVER_LAST = frozenset("（「『【《〈“‘([{«¿¡")  # noqa: RUF001


def plain(text: str) -> str:
    """One line without control and formatting characters; emoji stay. What SRT and VTT show."""
    spaced = _SPACES.sub(" ", text)
    return "".join(character for character in spaced if _harmless(character)).strip()


def _harmless(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cf":
        return character in _KEPT_FORMATS or bool(_TAGS.match(character))
    # Emoji that are younger than the tables of this Python.
    if category == "Cn":
        return "\U0001f000" <= character <= "\U0001faff"
    return category not in {"Cc", "Cs", "Co"}


def is_silent(character: str) -> bool:
    """Whether nobody misses it where it is not drawn."""
    return bool(_SILENT.match(character))


def tidy(text: str) -> str:
    """Without what held parts of emoji together, and without double spaces."""
    return _SPACES.sub(" ", _JOINER_OF_EMOJI.sub("", _SILENT.sub("", text))).strip()


def escape(text: str) -> str:
    """The text as ASS shows it, with braces and backslashes as they were typed."""
    guarded = text.replace("\\", "\\" + _WORD_JOINER)
    return guarded.replace("{", r"\{").replace("}", r"\}")


def clusters(text: str) -> list[str]:
    """What a reader takes for one character: a letter with its marks, letters that a virama joins."""
    found: list[str] = []
    for character in text:
        marks = unicodedata.category(character).startswith("M") or character in _KEPT_FORMATS
        if found and (marks or found[-1][-1] in _VIRAMAS or found[-1][-1] in _KEPT_FORMATS):
            found[-1] += character
        else:
            found.append(character)
    return found


def is_unspaced(character: str) -> bool:
    """Whether its script writes no spaces between words: Chinese, Japanese, Thai."""
    return is_wide(character) or "\u0e00" <= character <= "\u0e7f"


def is_wide(character: str) -> bool:
    """Whether lines may be broken beside this character without a space: Chinese and Japanese."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or "\uff00" <= character <= "\uffef"


def is_right_to_left(text: str) -> bool:
    """By the first letter that has a direction."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction for direction in directions if direction in {"L", "R", "AL"}), "L") != "L"
