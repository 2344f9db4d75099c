"""Emoji inside a line of ASS: a pile of drawings that takes the room of one character and moves with the line.

libass lays a drawing out like a letter, at its place in reading order, so that looks, fades and jumps need not know of
it. After each drawing but the last comes a space that leads back to where the drawing began.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from fenta.render.captions import emoji, fonts
from fenta.render.captions.emoji import Command

# In em: of an emoji, and of what lies between the baseline and the middle of the capitals.
SIZE, MIDDLE = 1.04, 0.36
# Between these marks the pile keeps its order where the line runs from right to left.
_LEFT_TO_RIGHT, _AS_BEFORE = "\u2066", "\u2069"
_BLOCK_OR_EMOJI = re.compile(rf"(?<!\\)\{{\\[^}}]*\}}|{emoji.ANYWHERE}")
_TAG = re.compile(r"\\(1c|2c|3c|1a|alpha|bord|shad|blur)([^\\}()]*)")
_HIDDEN = "&HFF&"


# In colour, its outer shape alone as for a shadow, or only the room for it, as in a field that lies under a word.
Manner = Literal["colour", "shape", "room"]


def with_emoji(text: str, usual: Mapping[str, str], em: float, manner: Manner = "colour") -> str:
    """A line of ASS with each emoji as drawings; `usual` is what its tags are where nothing else is said."""
    line = _Line(usual, em, manner)
    return _BLOCK_OR_EMOJI.sub(lambda found: line.read(found[0]), text)


@dataclass
class _Line:
    """A line while it is read; `now` is what its tags have set so far."""

    usual: Mapping[str, str]
    em: float
    manner: Manner
    now: dict[str, str] = field(default_factory=dict)

    def read(self, part: str) -> str:
        if emoji.is_emoji(part):
            return self._sticker(part)
        for tag, value in _TAG.findall(part):
            self.now[tag] = value or self.usual.get(tag, "")
            if tag == "alpha":
                self.now["1a"] = value
        return part

    def _value(self, tag: str) -> str:
        return self.now.get(tag, self.usual.get(tag, ""))

    def _sticker(self, character: str) -> str:
        font = f"\\fn{fonts.TEXT.family}\\fs{fonts.font_size(fonts.TEXT, self.em)}"
        width, space = (part * self.em for part in (fonts.EMOJI_WIDTH, fonts.metrics(fonts.TEXT).advances["\u00a0"]))
        if self.manner == "room":
            return f"{{{font}\\fsp{width - space:.2f}}}\\h{{\\fsp{self.usual['fsp']}}}"
        back = f"{{\\fsp-{width + space:.2f}}}\\h{{\\fsp0}}"
        pile = back.join(self._drawings(character))
        return f"{_LEFT_TO_RIGHT}{{{font}\\fsp0\\pbo{self._below():.1f}}}{pile}{_AS_BEFORE}{{{self._restored()}\\pbo0}}"

    def _below(self) -> float:
        return (SIZE / 2 - MIDDLE) * self.em

    def _restored(self) -> str:
        tags = ("1c", "2c", "1a", "bord", "blur")
        return (
            "".join(f"\\{tag}{self._value(tag)}" for tag in tags if self.manner == "colour")
            + f"\\fsp{self.usual['fsp']}"
        )

    def _drawings(self, character: str) -> Iterator[str]:
        """The shape with the outline that letters have, and upon it the colours."""
        shapes = emoji.shapes(character)
        whole = _drawn(tuple(command for shape in shapes for command in shape.path), self.em)
        if self.manner == "shape":
            yield f"{{\\p1}}{whole}{{\\p0}}"
            return
        outline = self._value("3c")
        seen = self._value("alpha") != _HIDDEN
        yield f"{{\\1c{outline}\\2c{outline}{_alpha(1, seen)}\\p1}}{whole}{{\\p0}}"
        for shape in shapes:
            colour = f"&H{shape.colour[5:7]}{shape.colour[3:5]}{shape.colour[1:3]}&"
            tags = f"\\1c{colour}\\2c{colour}{_alpha(shape.opacity, seen)}\\bord0\\blur0"
            yield f"{{{tags}\\p1}}{_drawn(shape.path, self.em)}{{\\p0}}"


def _alpha(opacity: float, seen: bool) -> str:
    return f"\\1a&H{round(255 * (1 - opacity)):02X}&" if seen else f"\\1a{_HIDDEN}"


@lru_cache(maxsize=4096)
def _drawn(path: Sequence[Command], em: float) -> str:
    """In pixels, within the same frame for all parts, whose corners are points that draw nothing."""
    side, left = SIZE * em, (fonts.EMOJI_WIDTH - SIZE) / 2 * em
    right = f"{fonts.EMOJI_WIDTH * em:.1f} {side:.1f}"
    commands = (
        f"{name} " + " ".join(f"{left + x * side:.1f} {y * side:.1f}" for x, y in points) for name, points in path
    )
    return " ".join((f"m 0 0 n {right}", *commands))
