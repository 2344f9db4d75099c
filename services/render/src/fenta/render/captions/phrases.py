"""Where a text without spaces may be broken: between phrases, as a model of its language has learned them."""

from functools import cache
from typing import Any

from fenta.render.captions.text import NEVER_FIRST, NEVER_LAST

_MODELS = {"thai": "load_default_thai_parser", "japanese": "load_default_japanese_parser"}
_CHINESE = "load_default_simplified_chinese_parser"


def phrases(text: str) -> list[str]:
    """The text in parts that belong together, punctuation with the part that it must not leave."""
    found: list[str] = []
    for part in _parser(_language(text)).parse(text):
        if found and (part[0] in NEVER_FIRST or found[-1][-1] in NEVER_LAST):
            found[-1] += part
        else:
            found.append(part)
    return found


def _language(text: str) -> str:
    """By its letters: Thai, or Japanese if there is any kana in it, else Chinese."""
    if any("\u0e00" <= character <= "\u0e7f" for character in text):
        return "thai"
    return "japanese" if any("\u3040" <= character <= "\u30ff" for character in text) else "chinese"


@cache
def _parser(language: str) -> Any:
    # Imported where it is needed, since the API process compiles timelines and never breaks lines.
    import budoux  # noqa: PLC0415

    return getattr(budoux, _MODELS.get(language, _CHINESE))()
