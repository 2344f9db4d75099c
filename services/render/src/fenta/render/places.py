"""Where text stands on a canvas of each aspect, and what the platforms cover of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fenta.contracts.timeline import Aspect, Canvas

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Place:
    """In shares of the canvas; `em` is one of its shorter side."""

    centre_y: float
    widest: float
    em: float


# High enough for the buttons of the platforms, low enough to leave the picture alone. A wide film is seen on a large
# screen, where text needs less of it.
_PLACES: Mapping[Aspect, Place] = {
    "9:16": Place(0.725, 0.84, 92 / 1080),
    "4:5": Place(0.79, 0.86, 80 / 1080),
    "1:1": Place(0.81, 0.86, 74 / 1080),
    "16:9": Place(0.84, 0.7, 64 / 1080),
}


def place_of(canvas: Canvas) -> Place:
    return _PLACES[canvas.aspect]


@dataclass(frozen=True)
class Zone:
    """A part of the canvas that a platform draws over: left, top, right and bottom in shares of the canvas."""

    platform: str
    what: str
    edges: Box

    def touches(self, box: Box) -> bool:
        """`box` is x, y, width and height."""
        left, top, right, bottom = self.edges
        return box[0] < right and box[0] + box[2] > left and box[1] < bottom and box[1] + box[3] > top


# No platform publishes what covers an ordinary post; what they give for advertisements (Meta Business Help Centre: top
# 14 %, bottom 35 %, sides 6 %) counts their button too. These are the numbers of a post with a short text on which the
# creators' guides of 2025 and 2026 agree, in pixels of 1080 x 1920: TikTok 130 at the top, 380 at the bottom, buttons
# 130 wide; Reels 220, 390 and 120; Shorts 140, 400 and 140. Elsewhere only the margin of SMPTE ST 2046-1 (safe title
# area: 90 % of width and height) is kept, since players show a short film of another shape with nothing over it.
ZONES: Mapping[Aspect, Sequence[Zone]] = {
    "9:16": (
        Zone("TikTok", "tabs", (0, 0, 1, 0.068)),
        Zone("TikTok", "buttons", (0.88, 0.46, 1, 0.8)),
        Zone("TikTok", "text", (0, 0.802, 1, 1)),
        Zone("Reels", "head", (0, 0, 1, 0.1146)),
        Zone("Reels", "buttons", (0.889, 0.52, 1, 0.8)),
        Zone("Reels", "text", (0, 0.797, 1, 1)),
        Zone("Shorts", "head", (0, 0, 1, 0.073)),
        Zone("Shorts", "buttons", (0.87, 0.5, 1, 0.8)),
        Zone("Shorts", "text", (0, 0.7917, 1, 1)),
    ),
    "4:5": (),
    "1:1": (),
    "16:9": (),
}
# Left, top, right and bottom of what nothing covers, for what is placed by us. On 9:16 it ends above the texts.
_SAFE: Mapping[Aspect, Box] = {
    "9:16": (0.07, 0.12, 0.93, 0.79),
    "4:5": (0.06, 0.06, 0.94, 0.94),
    "1:1": (0.06, 0.06, 0.94, 0.94),
    "16:9": (0.05, 0.06, 0.95, 0.94),
}


def safe(aspect: Aspect) -> Box:
    return _SAFE[aspect]


def covered(aspect: Aspect, box: Box) -> Iterator[Zone]:
    """The zones that a box of x, y, width and height reaches into."""
    return (zone for zone in ZONES[aspect] if zone.touches(box))


def corner(canvas: Canvas, size: tuple[int, int], name: str) -> tuple[float, float]:
    """The middle, in shares of the canvas, of what stands in a corner of the safe area; `size` is in pixels."""
    left, top, right, bottom = _SAFE[canvas.aspect]
    wide, high = size[0] / canvas.width / 2, size[1] / canvas.height / 2
    # The buttons of a tall film's lower half take more of its right side than of its left.
    inner = right - 0.07 if name == "bottom_right" and canvas.aspect == "9:16" else right
    x = left + wide if name.endswith("left") else inner - wide
    return x, top + high if name.startswith("top") else bottom - high
