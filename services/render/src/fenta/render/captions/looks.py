"""The looks of captions by name: how a line comes in, and what a word is before, while and after it is spoken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fenta.contracts.timeline import CaptionLook, CaptionTrack
from fenta.render.captions import fonts
from fenta.render.captions.ass import colour
from fenta.render.captions.faces import Face

Moment = Literal["next", "now", "past"]
Accent = Literal["none", "colour", "pop", "bounce", "dark"]

INK = "#0A0C12"
UNSEEN, _SEEN = "\\alpha&HFF&", "\\alpha&H00&"


@dataclass(frozen=True)
class Look:
    """`size` is a factor of the canvas' own, `outline` and `shade` are in em; without shade there is none.

    `accent` is what happens to the word that is spoken, `field` what stands in a field of one colour. `hidden` words
    come only when they are spoken; `swept` ones are filled with colour from one side; `hollow` ones are outlines before
    and after. `single` shows each word alone.
    """

    face: Face = fonts.CAPTION
    size: float = 1.0
    outline: float = 0.075
    shade: float = 0.13
    accent: Accent = "none"
    arrival: Literal["grow", "fade", "rise", "punch"] = "grow"
    field: Literal["none", "word", "line"] = "none"
    hidden: bool = False
    hollow: bool = False
    swept: bool = False
    single: bool = False

    @property
    def changes(self) -> bool:
        """Whether words look different as time goes by."""
        return (self.accent != "none" or self.hidden or self.hollow) and not self.single

    @property
    def grows(self) -> bool:
        """Whether words become larger while they are spoken, and push the others aside."""
        return self.accent == "pop"

    def entrance(self, place: str, scale: float) -> str:
        """How a new line comes; 100 ms are felt, not seen."""
        full = round(100 * scale)
        if self.arrival == "fade":
            return f"{{{place}\\fad(120,80)\\fscx{full}\\fscy{full}}}"
        small = round({"grow": 92, "rise": 82, "punch": 70}[self.arrival] * scale)
        over = f"\\t(0,90,0.6,\\fscx{full + 6}\\fscy{full + 6})\\t(90,150,\\fscx{full}\\fscy{full})"
        grown = over if self.arrival == "punch" else f"\\t(0,110,0.6,\\fscx{full}\\fscy{full})"
        return f"{{{place}\\fad(60,0)\\fscx{small}\\fscy{small}{grown}}}"

    def worded(self, shown: str, moment: Moment, track: CaptionTrack, scale: float) -> str:
        """A word in the look of its moment; what follows it is as it was before."""
        if self.single:
            return shown
        if self.hidden:
            come = self._lit(shown, track, scale) if moment == "now" else shown
            return f"{{{UNSEEN}}}{shown}" if moment == "next" else f"{{{_SEEN}}}{come}"
        if self.hollow and moment != "now":
            return f"{{\\1a&HFF&\\3c{colour(track.colour)}&}}{shown}"
        return self._lit(shown, track, scale) if moment == "now" else shown

    def _lit(self, shown: str, track: CaptionTrack, scale: float) -> str:
        bright, usual = f"\\1c{colour(track.accent)}&", f"\\1c{colour(track.colour)}&"
        full = round(100 * scale)
        if self.hollow:
            return f"{{\\1a&H00&{bright}\\3c{colour(INK)}&}}{shown}"
        if self.accent == "colour":
            return f"{{{bright}}}{shown}{{{usual}}}"
        if self.accent == "pop":
            return f"{{{bright}}}{_grown(shown, scale)}{{{usual}}}"
        if self.accent == "bounce":
            tall, flat = round(138 * scale), round(90 * scale)
            jump = f"\\fscy{tall}\\t(0,90,\\fscy{flat})\\t(90,160,\\fscy{full})"
            return f"{{{bright}{jump}}}{shown}{{{usual}\\fscy{full}}}"
        if self.accent == "dark":
            return f"{{\\1c{colour(INK)}&\\bord0}}{shown}{{{usual}\\bord}}"
        return shown

    def shaded(self, shown: str, moment: Moment, scale: float) -> str:
        """The shadow of a word, which is as large as the word."""
        return _grown(shown, scale) if self.grows and moment == "now" else shown

    @staticmethod
    def in_field(shown: str, moment: Moment) -> str:
        """A word when only the field of the spoken one is drawn, which lies under all text."""
        return f"{{{_SEEN}}}{shown}{{{UNSEEN}}}" if moment == "now" else shown


def _grown(shown: str, scale: float) -> str:
    full, large = round(100 * scale), round(112 * scale)
    return f"{{\\t(0,80,0.6,\\fscx{large}\\fscy{large})}}{shown}{{\\fscx{full}\\fscy{full}}}"


LOOKS: Mapping[CaptionLook, Look] = {
    "karaoke": Look(accent="colour"),
    "plain": Look(),
    "pop": Look(accent="pop", arrival="rise"),
    "fill": Look(swept=True),
    "box": Look(accent="dark", field="word", outline=0.06),
    "outline": Look(hollow=True, outline=0.045, shade=0.16),
    "typewriter": Look(hidden=True, shade=0.0, outline=0.09, arrival="fade"),
    "bounce": Look(accent="bounce", hidden=True, shade=0.0, outline=0.09),
    "word": Look(single=True, size=1.55, outline=0.085, arrival="punch"),
    "classic": Look(face=fonts.TEXT, size=0.72, outline=0.0, shade=0.0, field="line", arrival="fade"),
    "minimal": Look(face=fonts.TEXT, size=0.62, outline=0.02, shade=0.07, arrival="fade"),
}
