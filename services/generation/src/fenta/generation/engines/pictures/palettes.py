"""Colour families: six tones that belong together, from the deepest to the lightest, and an accent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float32]


@dataclass(frozen=True)
class Palette:
    deep: Colour
    dark: Colour
    middle: Colour
    soft: Colour
    light: Colour
    accent: Colour

    def ramp(self) -> list[Colour]:
        return [self.deep, self.dark, self.middle, self.soft, self.light]


def colour(code: str) -> Colour:
    """`#rrggbb` as three floats from 0 to 1."""
    return np.array([int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)], np.float32)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    return first + (second - first) * np.float32(share)


def _palette(codes: str) -> Palette:
    return Palette(*(colour(code) for code in codes.split()))


PALETTES: dict[str, Palette] = {
    "indigo": _palette("#18204a #2a3878 #4a5fa8 #8f9fd6 #e7e4ff #ffc976"),
    "dusk": _palette("#2a1c48 #4b2a63 #a24a73 #f08a6c #ffd9a8 #fff0c9"),
    "teal": _palette("#10303f #14505e #1f8a8c #7fcfbf #e6f7e4 #ffb86b"),
    "rose": _palette("#421c38 #74294f #c85a7c #f3a3a7 #ffe6dc #ffd166"),
    "meadow": _palette("#15382f #1f5544 #4b8b64 #a5c99a #f0f4d8 #f6c667"),
    "sand": _palette("#4a2820 #8a4527 #cf7f43 #efb678 #fff0d2 #6fb9cc"),
    "ice": _palette("#1b3a5a #2c6089 #5fa3c7 #b4dbe8 #f5fbff #ff9e8a"),
    "violet": _palette("#26155a #46218a #8a4fd0 #c79bf0 #f6e7ff #6ef3e0"),
    "ember": _palette("#3a1828 #6b1f2a #c8402f #f68c4a #ffe1a3 #7fd3e6"),
    "lagoon": _palette("#0f2c52 #13518a #1c9ac2 #79dcd5 #f0fff4 #ffd97a"),
}


def choose(random: np.random.Generator, names: tuple[str, ...], mood: str) -> Palette:
    """One of the palettes that suit a composition; a mood word narrows the choice where it can."""
    fitting = tuple(name for name in names if name in _MOODS.get(_mood_of(mood), ())) or names
    return PALETTES[fitting[int(random.integers(len(fitting)))]]


def _mood_of(text: str) -> str:
    words = text.casefold().split()
    return next((mood for mood in _MOODS if any(word.startswith(mood) for word in words)), "")


_MOODS: dict[str, tuple[str, ...]] = {
    "calm": ("indigo", "teal", "ice", "meadow", "lagoon"),
    "warm": ("dusk", "rose", "sand", "ember"),
    "cold": ("indigo", "ice", "lagoon", "teal"),
    "dramatic": ("ember", "dusk", "violet", "indigo"),
    "playful": ("rose", "violet", "lagoon", "sand"),
    "serious": ("indigo", "ice", "teal"),
}
