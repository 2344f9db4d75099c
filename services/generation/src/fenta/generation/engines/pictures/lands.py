"""Compositions of the land and the sea: mountains, dunes, forest, ocean, city."""

import cv2
import numpy as np

from fenta.generation.engines.pictures.canvas import Canvas, Plane, plane
from fenta.generation.engines.pictures.palettes import Colour, mix

WHITE = np.ones(3, np.float32)


def mountains(canvas: Canvas) -> None:
    """Ranges that fade into the haze of a low sun."""
    tones = canvas.palette
    horizon = canvas.uniform(0.42, 0.52)
    u, v = canvas.uniform(0.22, 0.78), horizon - canvas.uniform(0.02, 0.16)
    canvas.gradient([(0, tones.middle), (horizon * 0.55, tones.soft), (horizon, tones.light), (1, tones.light)])
    _clouds(canvas, horizon)
    canvas.glow(u, v, 0.30, tones.accent, 0.7)
    canvas.glow(u, v, 0.10, tones.light, 0.9)
    canvas.disc(u, v, canvas.uniform(0.028, 0.045), mix(tones.light, WHITE, 0.88))
    layers = 6
    for layer in range(layers):
        share = layer / (layers - 1)
        outline = (
            horizon
            + 0.02
            + 0.48 * share**1.15
            + (0.05 + 0.035 * share) * canvas.line(2.2 + share, octaves=8, gain=0.48)
        )
        top = _along([mix(tones.soft, tones.light, 0.4), tones.middle, tones.dark, tones.deep], share)
        mist = mix(top, tones.light, 0.55 - 0.45 * share)
        canvas.hill(outline, top, mist, 0.16, texture=_rock(canvas) if layer > 2 else None)
        canvas.rim(outline, tones.accent, 0.30 * (1 - 0.6 * share), 0.004)


def _rock(canvas: Canvas) -> Plane:
    return (canvas.full(canvas.noise(14, octaves=4, stretch=0.7, divide=4)) - np.float32(0.5)) * np.float32(0.35)


def _clouds(canvas: Canvas, horizon: float) -> None:
    clouds = np.clip(canvas.noise(3, octaves=6, stretch=3.2, divide=2) * 2.2 - 1.05, 0, 1)
    _, y = canvas.grid(2)
    canvas.screen((clouds * np.clip(1 - y / horizon, 0, 1) ** 0.6 * 0.65).astype(np.float32), canvas.palette.light)


def _along(tones: list[Colour], share: float) -> Colour:
    place = share * (len(tones) - 1)
    index = min(int(place), len(tones) - 2)
    return mix(tones[index], tones[index + 1], place - index)


def dunes(canvas: Canvas) -> None:
    """Sand in sharp light: a bright and a shaded side to every crest."""
    tones = canvas.palette
    horizon = canvas.uniform(0.36, 0.46)
    canvas.gradient(
        [
            (0, mix(tones.accent, tones.middle, 0.35)),
            (horizon * 0.8, mix(tones.soft, tones.light, 0.4)),
            (horizon, tones.light),
            (1, tones.soft),
        ]
    )
    u, v = canvas.uniform(0.2, 0.8), horizon * canvas.uniform(0.45, 0.8)
    canvas.glow(u, v, 0.22, tones.light, 0.8)
    canvas.disc(u, v, canvas.uniform(0.03, 0.055), mix(tones.light, WHITE, 0.88), 0.95)
    for layer in range(5):
        share = layer / 4
        _dune(canvas, horizon + 0.5 * share**1.3, share)


def _dune(canvas: Canvas, base: float, share: float) -> None:
    tones = canvas.palette
    bend = canvas.line(1.1 + 0.5 * share, octaves=2, gain=0.35)
    outline = base + (0.045 + 0.04 * share) * bend
    lit = _along([mix(tones.light, tones.soft, 0.5), tones.soft, mix(tones.soft, tones.middle, 0.6)], share)
    canvas.hill(outline, lit, mix(lit, tones.middle, 0.65), 0.32, texture=_ripples(canvas, bend, share))
    canvas.shade(_lee(canvas, outline), mix(tones.middle, tones.dark, 0.25 + 0.5 * share))
    canvas.rim(outline, tones.light, 0.55, 0.003)


def _lee(canvas: Canvas, outline: Plane) -> Plane:
    """The side that the light does not reach: where the crest falls away, fading down the slope."""
    slope = cv2.GaussianBlur(np.gradient(outline)[None, :], (0, 0), 0.022 * canvas.height)[0] * canvas.height
    lee = 1 / (1 + np.exp(np.clip(-(slope - 0.06) * 12, -40, 40)))
    _, y = canvas.grid(1)
    under = y - outline[None, :]
    bound = 0.05 + 0.16 * lee[None, :]
    fade = np.clip((bound - under) / (0.03 + 0.8 * bound), 0, 1)
    return np.where(under > 0, 0.85 * lee[None, :] * fade, 0).astype(np.float32)


def _ripples(canvas: Canvas, bend: Plane, share: float) -> Plane:
    x, y = canvas.grid(1)
    waves = np.sin(y * (190 - 110 * share) + bend[None, :] * 9 + np.sin(x * 9) * 1.2)
    return (waves * np.float32(0.045 + 0.05 * share)).astype(np.float32)


def forest(canvas: Canvas) -> None:
    """Trunks and firs that stand in fog, with light between them."""
    tones = canvas.palette
    canvas.gradient([(0, mix(tones.soft, tones.light, 0.2)), (0.45, tones.light), (1, tones.middle)])
    u = canvas.uniform(0.2, 0.8)
    canvas.glow(u, 0.24, 0.34, tones.accent, 0.75)
    layers = 5
    for layer in range(layers):
        share = layer / (layers - 1)
        tone = _along([mix(tones.soft, tones.light, 0.45), tones.soft, tones.middle, tones.dark, tones.deep], share)
        canvas.hill(_treeline(canvas, share), tone, mix(tone, tones.light, 0.5 - 0.42 * share), 0.22)
        if layer < layers - 1:
            _fog(canvas, 0.55 + 0.1 * layer)
    canvas.screen(beams(canvas, u, -0.05, 0.5), mix(tones.accent, tones.light, 0.5))


def _treeline(canvas: Canvas, share: float) -> Plane:
    base = 0.44 + 0.36 * share + 0.03 * canvas.line(2, octaves=3)
    columns = np.arange(canvas.width, dtype=np.float32) / canvas.height
    outline = base.copy()
    for _ in range(int(34 - 20 * share)):
        tall = canvas.uniform(0.06, 0.13) * (0.75 + 1.5 * share)
        centre = canvas.uniform(-0.05, canvas.width / canvas.height + 0.05)
        away = np.abs(columns - centre) / (tall * 0.2)
        steps = 0.10 * np.abs(np.sin(away * 14 + centre * 40)) * np.clip(away * 1.4, 0, 1)
        tree = base - tall * (1 - away) + steps * tall
        outline = np.minimum(outline, np.where(away < 1, tree, 9))
    return outline.astype(np.float32)


def _fog(canvas: Canvas, level: float) -> None:
    _, y = canvas.grid(4)
    veil = np.exp(-(((y - level) / 0.09) ** 2)) * (0.35 + 0.65 * canvas.noise(3, octaves=4, stretch=4, divide=4))
    canvas.shade((veil * 0.6).astype(np.float32), mix(canvas.palette.light, canvas.palette.soft, 0.25))


def beams(canvas: Canvas, u: float, v: float, strength: float) -> Plane:
    """Shafts of light that fall from a point."""
    x, y = canvas.grid(4)
    dx, dy = x - u * canvas.width / canvas.height, y - v
    angle = np.arctan2(dx, dy)
    stripes = np.zeros_like(angle)
    for _ in range(7):
        stripes = stripes + np.exp(-(((angle - canvas.uniform(-0.7, 0.7)) / canvas.uniform(0.02, 0.07)) ** 2))
    return plane(np.clip(stripes, 0, 1.2) * np.exp(-np.hypot(dx, dy) / 0.55) * strength)


def ocean(canvas: Canvas) -> None:
    """A swell under a low sun that draws its path on the water."""
    tones = canvas.palette
    horizon = canvas.uniform(0.38, 0.5)
    u = canvas.uniform(0.3, 0.7)
    v = horizon - canvas.uniform(0.03, 0.12)
    canvas.gradient(
        [
            (0, tones.middle),
            (horizon * 0.6, tones.soft),
            (horizon, tones.light),
            (horizon + 0.002, tones.middle),
            (1, tones.deep),
        ]
    )
    _clouds(canvas, horizon)
    canvas.glow(u, v, 0.26, tones.accent, 0.85)
    canvas.disc(u, v, canvas.uniform(0.035, 0.06), mix(tones.light, WHITE, 0.88))
    _water(canvas, u, horizon)
    for layer in range(5):
        _wave(canvas, horizon, 0.28 + 0.72 * layer / 4)


def _water(canvas: Canvas, u: float, horizon: float) -> None:
    x, y = canvas.grid(1)
    deep = np.clip((y - horizon) / (1 - horizon), 0, 1)
    ripple = canvas.full(canvas.noise(60, octaves=4, stretch=9, divide=1))
    path = np.exp(-(((x - u * canvas.width / canvas.height) / (0.03 + 0.16 * deep)) ** 2))
    glitter = np.clip((ripple - 0.52) * 7, 0, 1) * path * (y > horizon)
    canvas.screen((glitter * 0.95).astype(np.float32), mix(canvas.palette.accent, canvas.palette.light, 0.4))
    canvas.shade((np.clip((0.5 - ripple) * 2.2, 0, 1) * (y > horizon) * 0.55).astype(np.float32), canvas.palette.dark)


def _wave(canvas: Canvas, horizon: float, share: float) -> None:
    tones = canvas.palette
    columns = np.arange(canvas.width, dtype=np.float32) / canvas.height
    phase, long = canvas.uniform(0, 6.28), 0.10 + 0.3 * share
    swell = np.abs(np.sin(columns / long * 3.14 + phase)) ** 1.4 + 0.25 * canvas.line(3, octaves=4)
    outline = (horizon + (1 - horizon) * share * 0.92 - 0.045 * share * swell + 0.02).astype(np.float32)
    crest = mix(tones.soft, tones.middle, 0.25 + 0.4 * share)
    texture = (canvas.full(canvas.noise(40, octaves=3, stretch=6, divide=2)) - np.float32(0.5)) * np.float32(0.5)
    canvas.hill(outline, crest, mix(tones.dark, tones.deep, share), 0.10 + 0.06 * share, texture=texture)
    canvas.rim(outline, tones.light, 0.75, 0.003 + 0.002 * share)


def city(canvas: Canvas) -> None:
    """A skyline at the blue hour, its windows lit."""
    tones = canvas.palette
    canvas.gradient([(0, tones.dark), (0.35, tones.middle), (0.62, tones.soft), (0.75, tones.light), (1, tones.soft)])
    _clouds(canvas, 0.6)
    canvas.glow(canvas.uniform(0.2, 0.8), 0.66, 0.3, tones.accent, 0.75, flat=1.4)
    for layer in range(4):
        _skyline(canvas, layer / 3)


def _skyline(canvas: Canvas, share: float) -> None:
    tones = canvas.palette
    base = 0.56 + 0.16 * share
    outline = np.full(canvas.width, base + 0.12, np.float32)
    left = -int(canvas.uniform(0, 0.05) * canvas.height)
    houses: list[tuple[int, int, float]] = []
    while left < canvas.width:
        wide = max(4, int(canvas.uniform(0.03, 0.075) * (0.7 + 0.7 * share) * canvas.height))
        top = base - canvas.uniform(0, 0.24) * (0.7 + 0.3 * share)
        outline[max(0, left) : max(0, left + wide)] = top
        houses.append((max(0, left), min(canvas.width, left + wide), top))
        left += wide + int(canvas.uniform(-0.2, 0.25) * wide)
    tone = _along([mix(tones.soft, tones.middle, 0.5), tones.middle, tones.dark, tones.deep], share)
    canvas.hill(outline, tone, mix(tone, tones.soft, 0.35 - 0.25 * share), 0.4)
    if share > 0.2:
        for first, last, top in houses:
            _windows(canvas, first, last, top, share)


def _windows(canvas: Canvas, first: int, last: int, top: float, share: float) -> None:
    cell = max(3, int(canvas.height * (0.0042 + 0.0050 * share)))
    y0 = int(top * canvas.height) + cell * 2
    rows, columns = (canvas.height - y0) // (cell * 2), (last - first - cell) // (cell * 2)
    if rows < 1 or columns < 1:
        return
    lit = (canvas.random.random((rows, columns)) < canvas.uniform(0.18, 0.45)) * canvas.random.uniform(
        0.45, 1, (rows, columns)
    )
    pattern = np.kron(lit, np.pad(np.ones((cell, cell)), ((0, cell), (0, cell)))).astype(np.float32)
    fade = np.linspace(1, 0.35, pattern.shape[0], dtype=np.float32)[:, None]
    below = canvas.pixels[y0 : y0 + pattern.shape[0], first + cell : first + cell + pattern.shape[1]]
    light = (pattern * fade)[: below.shape[0], : below.shape[1], None] * np.float32(0.85)
    below += light * (mix(canvas.palette.accent, canvas.palette.light, 0.25) - below)
