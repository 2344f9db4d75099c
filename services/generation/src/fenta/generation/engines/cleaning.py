"""Turns what people typed into text that can be spoken and shown: no markup, no control characters."""

import re
import unicodedata

_OVERRIDES = re.compile(r"\{\s*\\[^{}]*\}")
_TAGS = re.compile(r"</?[a-zA-Z!][^<>]{0,200}>")
_SPACES = re.compile(r"\s+")
# Joiners carry meaning inside Arabic, Indic and emoji sequences; all other invisible characters go.
_KEPT_INVISIBLE = "\u200c\u200d"


def cleaned(text: str) -> str:
    """NFC, without HTML tags, subtitle override blocks and control characters; runs of spaces become one."""
    plain = unicodedata.normalize("NFC", text)
    plain = _TAGS.sub(" ", _OVERRIDES.sub(" ", plain))
    visible = "".join(character if _is_visible(character) else " " for character in plain)
    return _SPACES.sub(" ", visible).strip()


def _is_visible(character: str) -> bool:
    return character in _KEPT_INVISIBLE or unicodedata.category(character)[0] != "C"
