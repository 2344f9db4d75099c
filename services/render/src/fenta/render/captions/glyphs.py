"""What of a text can be drawn: its emoji, what comes nearest to characters that no font has, and what is lost."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from fenta.render.captions import emoji, fonts
from fenta.render.captions.text import is_silent, plain, tidy

# Signs whose nearest neighbour Unicode does not name.
_ALIKE = {"✓": "\u2714", "✗": "\u2716", "✘": "\u2716", "☐": "□", "☒": "\u274e", "➜": "→", "➔": "→", "➞": "→"}


@dataclass(frozen=True)
class Drawing:
    """A text as it is drawn, each emoji one character. `nearest` is what stands for another character, `lost` what is
    left out."""

    text: str
    nearest: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether it has lost all that it said."""
        return bool(self.lost) and not any(_says_something(character) for character in self.text)


def drawable(text: str) -> str:
    """What can be burned into a picture: plain text without anything that would be drawn as a box."""
    return drawing(text).text


@lru_cache(maxsize=4096)
def drawing(text: str) -> Drawing:
    typed = emoji.marked(plain(text), fonts.draws)
    missing = [character for character in dict.fromkeys(typed) if not _is_drawn(character)]
    others = {character: _nearest(character) for character in missing}
    drawn = "".join(others.get(character, character) for character in typed)
    return Drawing(
        tidy(drawn),
        {character: other for character, other in others.items() if other},
        frozenset(character for character, other in others.items() if not other and not is_silent(character)),
    )


def without_emoji(text: str) -> str:
    """The text as it is read where emoji are not wanted."""
    # Of a keycap the digit stays.
    typed = emoji.marked(plain(text).replace("\u20e3", ""), fonts.draws)
    return tidy("".join(character for character in typed if not emoji.is_emoji(character)))


def written(drawn: str) -> str:
    """A drawable text as people write it."""
    return "".join(map(emoji.written, drawn))


def _is_drawn(character: str) -> bool:
    return emoji.is_emoji(character) or fonts.draws(character)


def _says_something(character: str) -> bool:
    return emoji.is_emoji(character) or character.isalnum()


def _nearest(character: str) -> str:
    """The same letter in plainer clothes: without its ornaments, or two for a ligature; empty when there is none."""
    if character in _ALIKE:
        return emoji.marked(_ALIKE[character] + emoji.AS_EMOJI, fonts.draws)
    parts = "".join(part for part in unicodedata.normalize("NFKD", character) if fonts.draws(part))
    return "" if all(map(unicodedata.combining, parts)) else parts
