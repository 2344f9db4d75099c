"""Compositions of the sky: stars, aurora, galaxy, planets."""

import cv2
import numpy as np

from fenta.generation.engines.pictures.canvas import Canvas, Plane, plane
from fenta.generation.engines.pictures.palettes import mix


def night_sky(canvas: Canvas) -> None:
    """The Milky Way over silhouetted hills."""
    tones = canvas.palette
    horizon = canvas.uniform(0.68, 0.82)
    canvas.gradient(
        [(0, tones.deep), (horizon * 0.55, tones.dark), (horizon, mix(tones.middle, tones.soft, 0.55)), (1, tones.dark)]
    )
    canvas.glow(canvas.uniform(0.2, 0.8), horizon + 0.03, 0.22, tones.accent, 0.75, flat=2.2)
    _milky_way(canvas)
    canvas.stars(int(canvas.width * canvas.height / 900), lowest=horizon)
    _hills(canvas, horizon)


def _milky_way(canvas: Canvas) -> None:
    x, y = canvas.grid(2)
    lean = canvas.uniform(0.35, 1.0) * (1 if canvas.chance(0.5) else -1)
    middle = canvas.width / canvas.height * canvas.uniform(0.35, 0.65)
    across = ((x - middle) - (y - 0.38) * lean) / np.hypot(1, lean)
    clouds = canvas.noise(5, octaves=6)
    across = across + (canvas.noise(3, octaves=3) - 0.5) * 0.12
    band = np.exp(-((across / 0.115) ** 2)) * (0.35 + 0.9 * clouds)
    dust = np.exp(-((across / 0.035) ** 2)) * np.clip(canvas.noise(7, octaves=5) * 1.9 - 0.75, 0, 1)
    light = np.clip(band - 0.75 * dust, 0, 1).astype(np.float32)
    canvas.screen(light * 0.55, mix(canvas.palette.soft, canvas.palette.light, 0.4))
    canvas.screen((light**2.5 * 0.6).astype(np.float32), mix(canvas.palette.accent, canvas.palette.light, 0.3))
    canvas.screen(_dust_of_stars(canvas, light), canvas.palette.light)


def _dust_of_stars(canvas: Canvas, light: Plane) -> Plane:
    points = canvas.random.random((canvas.height, canvas.width), dtype=np.float32)
    dense = (points > 1 - 0.02 * canvas.full(light) ** 1.5).astype(np.float32)
    return cv2.GaussianBlur(dense, (0, 0), 0.8) * np.float32(1.3)


def _hills(canvas: Canvas, horizon: float) -> None:
    tones = canvas.palette
    for layer, share in enumerate((0.55, 0.25, 0.05)):
        base = horizon + 0.03 + layer * 0.07
        outline = base + 0.035 * canvas.line(2 + layer, octaves=7)
        top = mix(tones.deep, tones.dark, share)
        canvas.hill(outline.astype(np.float32), mix(top, tones.middle, 0.25 * share + 0.05), top, 0.10)
    _pines(canvas, horizon + 0.17)


def _pines(canvas: Canvas, base: float) -> None:
    """A row of firs along the lowest hill, as one jagged outline."""
    outline = base + 0.02 * canvas.line(3, octaves=3)
    columns = np.arange(canvas.width, dtype=np.float32) / canvas.height
    for _ in range(26):
        centre, tall = canvas.uniform(-0.02, canvas.width / canvas.height), canvas.uniform(0.03, 0.10)
        away = np.abs(columns - centre) / (tall * 0.24)
        ragged = 0.14 * np.abs(np.sin(away * 16)) * np.clip(away, 0, 1)
        outline = np.minimum(outline, np.where(away < 1, base + 0.02 - tall * (1 - away) + ragged * tall, 9))
    canvas.hill(
        outline.astype(np.float32), mix(canvas.palette.deep, canvas.palette.dark, 0.1), canvas.palette.deep * 0.8, 0.2
    )


def aurora(canvas: Canvas) -> None:
    """Curtains of light over a still lake."""
    tones = canvas.palette
    shore = canvas.uniform(0.66, 0.74)
    canvas.gradient([(0, tones.deep), (shore * 0.7, tones.dark), (shore, tones.middle), (1, tones.deep)])
    canvas.stars(int(canvas.width * canvas.height / 1500), lowest=shore, big=8)
    for number in range(3):
        tone = (tones.accent, tones.soft, tones.light)[number]
        canvas.screen(_curtain(canvas, 0.16 + 0.14 * number, shore), tone)
    far = shore - 0.012 + 0.03 * canvas.line(4)
    canvas.hill(far, mix(tones.deep, tones.dark, 0.5), tones.deep, 0.1)
    _mirror(canvas, shore + 0.02)


def _curtain(canvas: Canvas, level: float, shore: float) -> Plane:
    x, y = canvas.grid(2)
    columns = np.linspace(0, canvas.width - 1, x.shape[1]).astype(int)
    wave = level + canvas.uniform(0.12, 0.2) + 0.06 * canvas.line(1.2, octaves=2)[columns]
    folds = (0.55 + 0.5 * canvas.line(4, octaves=5, gain=0.5)[columns]).clip(0.05, 1)
    veil = (0.5 + 0.5 * canvas.line(1.5, octaves=2)[columns]).clip(0, 1)
    above = wave[None, :] - y
    fall = np.where(above > 0, np.exp(-above / 0.16) * (1 - np.exp(-above / 0.012) * 0.4), 0.6 * np.exp(above / 0.028))
    return plane(np.clip(fall * (folds * (0.4 + 0.6 * veil))[None, :] * 1.15 * (y < shore), 0, 1))


def _mirror(canvas: Canvas, shore: float) -> None:
    """The lower part becomes water that shows the upper part, drawn out and a little darker."""
    line = int(shore * canvas.height)
    rows = canvas.height - line
    above = canvas.pixels[max(0, line - rows) : line][::-1]
    ripple = (canvas.noise(26, octaves=3, stretch=7, divide=1)[line:] - 0.5) * np.float32(0.02 * canvas.height)
    fade = np.linspace(0.2, 1, rows, dtype=np.float32)[:, None]
    columns = np.arange(canvas.width, dtype=np.float32)[None, :] + ripple[: len(above)] * fade[: len(above)]
    lines = np.arange(len(above), dtype=np.float32)[:, None] + ripple[: len(above)] * fade[: len(above)] * 1.5
    water = cv2.remap(
        np.ascontiguousarray(above),
        columns.astype(np.float32),
        lines.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    canvas.pixels[line : line + len(above)] = water * np.float32(0.82) + canvas.palette.deep * np.float32(0.14)


def galaxy(canvas: Canvas) -> None:
    """A spiral seen from above, in clouds of its own light."""
    tones = canvas.palette
    canvas.gradient([(0, tones.deep), (0.5, mix(tones.deep, tones.dark, 0.7)), (1, tones.deep)])
    canvas.screen((canvas.noise(2.5, octaves=6) ** 2 * 0.45).astype(np.float32), tones.middle)
    canvas.screen((canvas.noise(3, octaves=5) ** 3 * 0.4).astype(np.float32), tones.soft)
    canvas.stars(int(canvas.width * canvas.height / 1100))
    u, v = canvas.uniform(0.4, 0.6), canvas.uniform(0.36, 0.5)
    arms, light = _spiral(canvas, u, v)
    canvas.screen(arms * 0.85, mix(tones.soft, tones.light, 0.25))
    canvas.screen((arms**2.2).astype(np.float32) * light * 0.9, tones.accent)
    canvas.screen(_dust_of_stars(canvas, arms), tones.light)
    canvas.glow(u, v, 0.055, tones.light, 0.95)
    canvas.glow(u, v, 0.16, tones.accent, 0.55)


def _spiral(canvas: Canvas, u: float, v: float) -> tuple[Plane, Plane]:
    x, y = canvas.grid(2)
    dx, dy = x - u * canvas.width / canvas.height, y - v
    turn, flat = canvas.uniform(0, 3.14), canvas.uniform(1.4, 2.0)
    along = dx * np.cos(turn) + dy * np.sin(turn)
    across = (dy * np.cos(turn) - dx * np.sin(turn)) * flat
    radius = np.hypot(along, across) + 1e-4
    angle = np.arctan2(across, along)
    wound = angle * 2 - np.log(radius) * canvas.uniform(3.6, 4.6) * (1 if canvas.chance(0.5) else -1)
    ragged = (canvas.noise(6, octaves=6) - 0.5) * 3.2
    bright = np.exp(-((radius / 0.40) ** 2)) * (0.45 + 0.9 * canvas.noise(9, octaves=5))
    arms = np.clip((0.5 + 0.5 * np.cos(wound + ragged)) ** 1.2 * bright, 0, 1)
    return arms.astype(np.float32), np.exp(-radius / 0.16).astype(np.float32)


def planets(canvas: Canvas) -> None:
    """A great planet, its moons and their orbits."""
    tones = canvas.palette
    canvas.gradient([(0, tones.deep), (0.6, tones.dark), (1, mix(tones.dark, tones.middle, 0.6))])
    canvas.screen((canvas.noise(2, octaves=6) ** 2.2 * 0.55).astype(np.float32), tones.middle)
    canvas.stars(int(canvas.width * canvas.height / 1600), big=9)
    u, v, radius = canvas.uniform(0.25, 0.75), canvas.uniform(0.34, 0.56), canvas.uniform(0.15, 0.21)
    tilt = canvas.uniform(-0.5, 0.5)
    _orbits(canvas, u, v, radius, tilt)
    canvas.glow(u - 0.1, v - 0.05, radius * 1.5, tones.soft, 0.5)
    _ball(canvas, u, v, radius)
    _ring(canvas, u, v, radius, tilt)
    for _ in range(3):
        _ball(canvas, canvas.uniform(0.08, 0.92), canvas.uniform(0.08, 0.92), canvas.uniform(0.012, 0.04))


def _ball(canvas: Canvas, u: float, v: float, radius: float) -> None:
    tones = canvas.palette
    size = max(4, int(radius * canvas.height))
    x0, y0 = int(u * canvas.width) - size, int(v * canvas.height) - size
    rows = slice(max(0, y0), min(canvas.height, y0 + 2 * size))
    columns = slice(max(0, x0), min(canvas.width, x0 + 2 * size))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - y0 - size) / size
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - x0 - size) / size
    reach = dx * dx + dy * dy
    dz = np.sqrt(np.clip(1 - reach, 0, 1))
    bands = 0.5 + 0.5 * np.sin((dy + 0.12 * dx + 0.05 * np.sin(dx * 5 + dy * 9)) * 15 + canvas.uniform(0, 6))
    face = bands[..., None] * tones.soft + (1 - bands[..., None]) * tones.middle
    lit = np.clip(-0.62 * dx - 0.45 * dy + 0.64 * dz, 0, 1) ** 0.9
    surface = (
        face * (0.16 + 0.95 * lit[..., None]) + tones.deep * 0.25 + (tones.light * ((1 - dz) ** 3 * lit)[..., None])
    )
    cover = np.clip((1 - np.sqrt(reach)) * size + 0.5, 0, 1)[..., None]
    below = canvas.pixels[rows, columns]
    below += cover * (np.clip(surface, 0, 1) - below)


def _ring(canvas: Canvas, u: float, v: float, radius: float, tilt: float) -> None:
    x, y = canvas.grid(1)
    dx, dy = x - u * canvas.width / canvas.height, y - v
    along = dx * np.cos(tilt) + dy * np.sin(tilt)
    across = (dy * np.cos(tilt) - dx * np.sin(tilt)) * 4.2
    far = np.hypot(along, across) / radius
    bands = np.clip(1 - np.abs(far - 1.62) / 0.32, 0, 1) ** 0.6 * (0.55 + 0.45 * np.sin(far * 46))
    behind = (across < 0) & (np.hypot(dx, dy) < radius)
    canvas.shade(
        np.where(behind, 0, bands * 0.75).astype(np.float32), mix(canvas.palette.light, canvas.palette.accent, 0.35)
    )


def _orbits(canvas: Canvas, u: float, v: float, radius: float, tilt: float) -> None:
    layer = np.zeros((canvas.height, canvas.width), np.uint8)
    centre = (int(u * canvas.width), int(v * canvas.height))
    for step in (2.6, 3.5, 4.6):
        axes = (int(radius * step * canvas.height), int(radius * step * canvas.height * 0.3))
        cv2.ellipse(
            layer, centre, axes, float(np.degrees(tilt)), 0, 360, 255, max(1, canvas.height // 900), cv2.LINE_AA
        )
    canvas.screen(layer.astype(np.float32) * np.float32(0.4 / 255), canvas.palette.light)
