"""Shade under text: what makes captions, titles and end cards legible on any picture."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fenta.contracts.timeline import Canvas, OverlayClip
from fenta.render.compose.effects import dim, shade
from fenta.render.compose.frame import BLACK, NEUTRAL, Frame, Plane
from fenta.render.places import place_of
from fenta.render.timeline import FramePlan, overlays, shaded

CAPTION_DEPTH, TITLE_DEPTH, END_CARD_DEPTH = 0.4, 0.5, 0.45
RAMP_MS = 350
STEPS = 24
# Below the first a picture is not darkened at all, above the second as designed.
DARK, BRIGHT = 40.0, 90.0


@dataclass(frozen=True)
class Depths:
    """How dark the parts of a frame are, in whole steps so that equal frames share their maps."""

    caption: int
    title: int
    end_card: int

    def __bool__(self) -> bool:
        return bool(self.caption or self.title or self.end_card)


class Shading:
    """Darkens frames where the timeline puts text over them."""

    def __init__(self, plan: FramePlan) -> None:
        self._plan = plan
        self._captions = shaded(plan.timeline)
        self._cards = overlays(plan.timeline)

    def apply(self, frame_number: int, frame: Frame, brightness: float) -> None:
        depths = self.depths(frame_number, brightness)
        if depths:
            maps = _maps(depths, self._plan.canvas)
            for plane, (top, gain, offset) in zip(frame.planes(), maps, strict=True):
                dim(plane[top : top + len(gain)], gain, offset)

    def depths(self, frame_number: int, brightness: float) -> Depths:
        """A dark picture is darkened less: text stands out on it as it is, and nobody wants to look at black."""
        bearable = min(1.0, max(0.0, (brightness - DARK) / (BRIGHT - DARK)))
        title, end_card = (self._presence(style, frame_number) for style in ("title", "end_card"))
        return Depths(
            round(STEPS * bearable * self._captions),
            round(STEPS * bearable * title),
            round(STEPS * bearable * end_card),
        )

    def _presence(self, style: str, frame_number: int) -> float:
        now = frame_number * 1000 / self._plan.fps
        return max((_presence(card, now) for card in self._cards if card.style == style), default=0.0)


def _presence(card: OverlayClip, now_ms: float) -> float:
    """Rises when a card comes and falls before it goes; an end card stays to the end."""
    end = card.start_ms + card.duration_ms
    rising = (now_ms - card.start_ms) / RAMP_MS + 0.3
    stays = card.style == "end_card" and card.leave is None
    falling = 1.0 if stays else (end - now_ms) / RAMP_MS
    inside = card.start_ms <= now_ms < end
    return max(0.0, min(1.0, rising, falling)) if inside else 0.0


@lru_cache(maxsize=4)
def _maps(depths: Depths, canvas: Canvas) -> tuple[tuple[int, Plane, Plane], ...]:
    """For every plane its first shaded row, and the factor (of 255) and offset of the pixels from there on."""
    gain = _gain(depths, canvas)
    luma = _map(gain, canvas.width, BLACK)
    chroma = _map(gain[::2], canvas.width // 2, NEUTRAL)
    return luma, chroma, chroma


def _gain(depths: Depths, canvas: Canvas) -> NDArray[np.float64]:
    """One factor per row."""
    y = (np.arange(canvas.height) + 0.5) / canvas.height
    caption = _bump(y, place_of(canvas).centre_y, 0.2) * CAPTION_DEPTH * depths.caption / STEPS
    title = _bump(y, 0.16, 0.3) * TITLE_DEPTH * depths.title / STEPS
    end_card = END_CARD_DEPTH * depths.end_card / STEPS
    gain: NDArray[np.float64] = (1 - caption) * (1 - title) * (1 - end_card)
    return gain


def _bump(y: NDArray[np.float64], centre: float, reach: float) -> NDArray[np.float64]:
    """1 around the centre, falling softly to 0."""
    bump: NDArray[np.float64] = 0.5 + 0.5 * np.cos(np.pi * np.clip((y - centre) / reach, -1, 1))
    return bump


def _map(gain: NDArray[np.float64], width: int, rest: int) -> tuple[int, Plane, Plane]:
    shaded = np.flatnonzero(gain < 1)
    top, bottom = int(shaded[0]), int(shaded[-1]) + 1
    factor, offset = shade(gain[top:bottom, None], rest)
    columns = np.ones((1, width), np.uint8)
    return top, factor * columns, offset * columns
