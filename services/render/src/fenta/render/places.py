"""Where captions stand on a canvas of each aspect."""

from collections.abc import Mapping
from dataclasses import dataclass

from fenta.contracts.timeline import Aspect, Canvas


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
