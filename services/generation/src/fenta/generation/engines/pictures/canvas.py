"""The painter's tools: gradients, glows, noise, ridges and stars on one float picture."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.generation.engines.pictures.palettes import Colour, Palette

Plane = NDArray[np.float32]
Stops = list[tuple[float, Colour]]


def plane(values: Any) -> Plane:
    """Numbers as the single-precision plane that all painting works on."""
    return np.asarray(values, np.float32)


@dataclass
class Canvas:
    """A picture in the making: red, green, blue from 0 to 1.

    Places are fractions of the width (u) and of the height (v); lengths are fractions of the height.
    """

    width: int
    height: int
    random: np.random.Generator
    palette: Palette
    pixels: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = np.zeros((self.height, self.width, 3), np.float32)

    # --- chance -------------------------------------------------------------------------------------------------------

    def uniform(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    # --- planes -------------------------------------------------------------------------------------------------------

    def grid(self, divide: int = 4) -> tuple[Plane, Plane]:
        """Coordinates x (0 to width/height) and y (0 to 1) at a fraction of the size, for smooth things."""
        rows, columns = max(2, self.height // divide), max(2, self.width // divide)
        x = np.linspace(0, self.width / self.height, columns, dtype=np.float32)[None, :]
        y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
        return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y, (rows, columns))

    def full(self, smaller: Plane) -> Plane:
        """A smaller plane brought to the picture's size."""
        return plane(cv2.resize(plane(smaller), (self.width, self.height), interpolation=cv2.INTER_LINEAR))

    def noise(
        self, cells: float, *, octaves: int = 5, stretch: float = 1.0, divide: int = 2, gain: float = 0.5
    ) -> Plane:
        """Clouds from 0 to 1: `cells` counts the largest blots over the height; `stretch` draws them out sideways."""
        rows, columns = max(2, self.height // divide), max(2, self.width // divide)
        total = np.zeros((rows, columns), np.float32)
        for octave in range(octaves):
            across = cells * 2**octave
            seeds = (int(across) + 3, int(across * self.width / self.height / stretch) + 3)
            blots = self.random.random(seeds, dtype=np.float32)
            total += cv2.resize(blots, (columns, rows), interpolation=cv2.INTER_CUBIC) * np.float32(gain**octave)
        low, high = float(total.min()), float(total.max())
        return plane((total - low) / max(high - low, 1e-6))

    def line(self, bumps: float, *, octaves: int = 6, gain: float = 0.5) -> Plane:
        """A rough line over the width, about -1 to 1."""
        total = np.zeros((1, self.width), np.float32)
        for octave in range(octaves):
            points = self.random.uniform(-1, 1, (1, int(bumps * 2**octave) + 4)).astype(np.float32)
            total += cv2.resize(points, (self.width, 1), interpolation=cv2.INTER_CUBIC) * np.float32(gain**octave)
        return plane(total[0])

    # --- light --------------------------------------------------------------------------------------------------------

    def gradient(self, stops: Stops) -> None:
        """Fill from top to bottom."""
        places = [place for place, _ in stops]
        rows = np.linspace(0, 1, self.height)
        columns = [np.interp(rows, places, [float(tone[channel]) for _, tone in stops]) for channel in range(3)]
        self.pixels[:] = np.stack(columns, axis=1).astype(np.float32)[:, None, :]

    def screen(self, strength: Plane, tone: Colour) -> None:
        """Add light the way two projectors do: bright places never burn out."""
        light = self.full(strength) if strength.shape != self.pixels.shape[:2] else strength
        np.clip(light, 0, 1, out=light)
        for channel in range(3):
            below = self.pixels[..., channel]
            below += light * np.float32(tone[channel]) * (1 - below)

    def shade(self, strength: Plane, tone: Colour) -> None:
        """Cover with a colour, as far as the strength says (0 to 1)."""
        cover = self.full(strength) if strength.shape != self.pixels.shape[:2] else strength
        for channel in range(3):
            below = self.pixels[..., channel]
            below += cover * (np.float32(tone[channel]) - below)

    def distance(self, u: float, v: float, *, flat: float = 1.0, divide: int = 4) -> Plane:
        """How far each place is from a point, in heights; `flat` above 1 squeezes the circles into ellipses."""
        x, y = self.grid(divide)
        return plane(np.hypot(x - u * self.width / self.height, (y - v) * flat))

    def glow(
        self, u: float, v: float, radius: float, tone: Colour, strength: float = 1.0, *, flat: float = 1.0
    ) -> None:
        far = self.distance(u, v, flat=flat) / np.float32(radius)
        self.screen(np.float32(strength) * np.exp(-far * far), tone)

    def disc(self, u: float, v: float, radius: float, tone: Colour, strength: float = 1.0) -> None:
        """A round light with a clean edge."""
        edge = np.clip((radius - self.distance(u, v, divide=1)) * self.height + 0.5, 0, 1) * np.float32(strength)
        self.shade(edge, tone)

    # --- shapes -------------------------------------------------------------------------------------------------------

    def hill(self, outline: Plane, top: Colour, bottom: Colour, depth: float, *, texture: Plane | None = None) -> None:
        """Fill below an outline (v per column), fading from `top` to `bottom` over `depth` heights."""
        edge = outline * self.height
        first = int(np.clip(np.floor(edge.min()) - 1, 0, self.height - 1))
        under = np.arange(first, self.height, dtype=np.float32)[:, None] - edge[None, :]
        share = np.clip(under / (depth * self.height), 0, 1)
        if texture is not None:
            share = np.clip(share + texture[first:], 0, 1)
        cover = np.clip(under + 0.5, 0, 1)
        below = self.pixels[first:]
        for channel in range(3):
            tone = np.float32(top[channel]) + share * np.float32(bottom[channel] - top[channel])
            below[..., channel] += cover * (tone - below[..., channel])

    def rim(self, outline: Plane, tone: Colour, strength: float, thickness: float) -> None:
        """A soft line of light just below an outline."""
        edge = outline * self.height
        reach = max(1.5, thickness * self.height)
        first = int(np.clip(edge.min() - 1, 0, self.height - 1))
        last = int(np.clip(edge.max() + reach * 3, first + 1, self.height))
        under = np.arange(first, last, dtype=np.float32)[:, None] - edge[None, :]
        light = np.where(under >= 0, np.exp(-under / reach), 0).astype(np.float32) * np.float32(strength)
        below = self.pixels[first:last]
        below += light[..., None] * tone * (1 - below)

    def stars(self, count: int, *, lowest: float = 1.0, tint: Colour | None = None, big: int = 14) -> None:
        """Points of light, few of them large, above `lowest` (v)."""
        layer = np.zeros((self.height, self.width), np.float32)
        rows = (self.random.random(count) * lowest * (self.height - 1)).astype(int)
        columns = (self.random.random(count) * (self.width - 1)).astype(int)
        layer[rows, columns] = self.random.pareto(2.2, count).clip(0.15, 5) * 0.9
        scale = self.height / 1920
        soft = cv2.GaussianBlur(layer, (0, 0), max(0.7, 0.95 * scale)) * np.float32(6.5)
        warm = tint if tint is not None else np.array([0.95, 0.96, 1.0], np.float32)
        self.screen(soft, warm)
        for _ in range(big):
            self._large_star(self.uniform(0.03, 0.97), self.uniform(0.02, lowest * 0.95), warm)

    def _large_star(self, u: float, v: float, tone: Colour) -> None:
        size = self.uniform(0.5, 1.0)
        reach = max(4, int(self.height * 0.02 * size))
        x, y = int(u * self.width), int(v * self.height)
        rows = slice(max(0, y - reach), min(self.height, y + reach))
        columns = slice(max(0, x - reach), min(self.width, x + reach))
        dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - y) / reach
        dx = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - x) / reach
        core = np.exp(-(dx * dx + dy * dy) * 60) + 0.35 * np.exp(-(dx * dx + dy * dy) * 9)
        light = np.clip(core * np.float32(0.6 + 0.4 * size), 0, 1)[..., None]
        below = self.pixels[rows, columns]
        below += light * tone * (1 - below)

    # --- finish -------------------------------------------------------------------------------------------------------

    def finished(self, *, grain: float = 0.024, vignette: float = 0.16, floor: float = 0.21) -> NDArray[np.uint8]:
        """Vignette, grain and a floor under the mean brightness; as bytes, blue green red."""
        picture = self.pixels
        np.clip(picture, 0, 1, out=picture)
        mean = float((picture @ np.array([0.2126, 0.7152, 0.0722], np.float32))[::4, ::4].mean())
        if mean < floor:
            np.power(picture, np.float32(np.log(floor) / np.log(max(mean, 0.02))), out=picture)
        x, y = self.grid()
        centre = self.width / self.height / 2
        dark = 1 - np.float32(vignette) * np.clip(
            np.hypot((x - centre) / max(centre, 0.5), (y - 0.5) / 0.5) - 0.55, 0, 1
        )
        picture *= self.full(dark)[..., None]
        picture += self._grain(grain)[..., None]
        return np.asarray(cv2.convertScaleAbs(np.clip(picture[..., ::-1], 0, 1), alpha=255), np.uint8)

    def _grain(self, strength: float) -> Plane:
        """Film grain with the tooth of drawing paper under it, which survives scaling and encoding."""
        # One tile of noise, repeated, looks the same as a whole sheet and costs a third.
        rows, columns = min(self.height, 800), min(self.width, 800)
        tile = self.random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.8)
        for size in (3.0, 6.5):
            tooth = self._seamless((rows, columns), size * self.height / 1920)
            tile += tooth * np.float32(0.46 / max(float(tooth.std()), 1e-6))
        repeats = (-(-self.height // tile.shape[0]), -(-self.width // tile.shape[1]))
        return np.tile(tile, repeats)[: self.height, : self.width] * np.float32(strength)

    def _seamless(self, shape: tuple[int, int], size: float) -> Plane:
        """Blurred noise whose edges meet, so that tiles show no seams."""
        margin = min(int(size * 4) + 1, *shape)
        rough = np.pad(self.random.standard_normal(shape, dtype=np.float32), margin, mode="wrap")
        return plane(cv2.GaussianBlur(rough, (0, 0), max(size, 0.3))[margin:-margin, margin:-margin])
