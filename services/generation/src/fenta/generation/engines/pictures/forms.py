"""Abstract compositions: ribbons, cut paper, cells, lights."""

import cv2
import numpy as np

from fenta.generation.engines.pictures.canvas import Canvas, Plane, plane
from fenta.generation.engines.pictures.lands import beams
from fenta.generation.engines.pictures.palettes import Colour, mix


def ribbons(canvas: Canvas) -> None:
    """Folded silk that flows across the picture."""
    tones = canvas.palette
    canvas.gradient([(0, tones.dark), (0.5, tones.middle), (1, tones.dark)])
    x, y = canvas.grid(2)
    lean = canvas.uniform(-0.9, 0.9)
    warp = (canvas.noise(1.4, octaves=2) - 0.5) * 0.9
    for number in range(7):
        tone = (tones.dark, tones.soft, tones.middle, tones.accent, tones.light, tones.soft, tones.deep)[number]
        centre = 0.08 + 0.14 * number + canvas.uniform(-0.03, 0.03)
        curve = (
            centre
            + lean * (x - 0.28) * 0.5
            + 0.10 * np.sin(x * canvas.uniform(4, 9) + canvas.uniform(0, 6))
            + warp * canvas.uniform(0.15, 0.3)
        )
        _ribbon(canvas, (y - curve) / canvas.uniform(0.08, 0.15), tone)


def _ribbon(canvas: Canvas, across: Plane, tone: Colour) -> None:
    soft = 140 * canvas.height / 1920
    cover = np.clip((1 - np.abs(across)) * soft * 0.12, 0, 1)
    shadow = np.exp(-(np.clip(across - 0.9, 0, 9) ** 2) * 5) * (across > 0.9)
    canvas.shade((shadow * 0.45).astype(np.float32), canvas.palette.deep)
    fold = 0.5 + 0.5 * np.sin(across * 2.6 + 0.6)
    canvas.shade(cover.astype(np.float32), mix(tone, canvas.palette.deep, 0.22))
    canvas.screen((cover * fold**2 * 0.55).astype(np.float32), mix(tone, canvas.palette.light, 0.5))
    threads = np.clip(np.sin(across * 70) * 0.5 + 0.5, 0, 1) * cover * 0.07
    canvas.screen(threads.astype(np.float32), canvas.palette.light)


def papercut(canvas: Canvas) -> None:
    """Sheets of paper with holes, one above the other, each with its shadow."""
    tones = canvas.palette
    ramp = [
        tones.light,
        tones.accent,
        mix(tones.accent, tones.soft, 0.6),
        tones.soft,
        mix(tones.soft, tones.middle, 0.5),
    ]
    ramp += [tones.middle, mix(tones.middle, tones.dark, 0.5), tones.dark, tones.deep]
    canvas.gradient([(0, ramp[0]), (1, mix(ramp[0], ramp[1], 0.6))])
    u, v = canvas.uniform(0.35, 0.65), canvas.uniform(0.35, 0.55)
    canvas.glow(u, v, 0.14, tones.light, 0.9)
    field = canvas.distance(u, v, flat=canvas.uniform(0.6, 0.95), divide=2) * 1.5
    for level, tone in enumerate(ramp[1:]):
        wobble = (canvas.noise(2.2, octaves=3, gain=0.35) - 0.5) * 0.34
        _sheet(canvas, plane(field + wobble - 0.10 - 0.085 * level), tone)


def _sheet(canvas: Canvas, height: Plane, tone: Colour) -> None:
    scale = canvas.height / 1920
    cover = np.clip(height * 480 * scale + 0.5, 0, 1).astype(np.float32)
    shift = max(1, int(9 * scale))
    shadow = cv2.GaussianBlur(_moved(cover, shift // 2, shift), (0, 0), max(1.0, 13 * scale))
    canvas.shade(shadow * np.float32(0.5), mix(canvas.palette.deep, tone, 0.2))
    canvas.shade(cover, tone)
    fibre = (canvas.noise(240, octaves=2) - 0.4) * cover
    canvas.screen(np.clip(fibre * 0.22, 0, 1).astype(np.float32), canvas.palette.light)
    edge = np.clip(cover - _moved(cover, 1, 2), 0, 1)
    canvas.screen(edge * np.float32(0.5), canvas.palette.light)


def _moved(cover: Plane, right: int, down: int) -> Plane:
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return plane(cv2.warpAffine(cover, move, (cover.shape[1], cover.shape[0]), borderMode=cv2.BORDER_REPLICATE))


def cells(canvas: Canvas) -> None:
    """Living cells under a microscope, near and far."""
    tones = canvas.palette
    canvas.gradient([(0, tones.dark), (0.5, mix(tones.middle, tones.soft, 0.3)), (1, tones.dark)])
    canvas.glow(canvas.uniform(0.3, 0.7), canvas.uniform(0.3, 0.6), 0.45, tones.light, 0.55)
    canvas.screen((canvas.noise(4, octaves=5) * 0.3).astype(np.float32), tones.soft)
    for number in range(26):
        near = number / 25
        radius = canvas.uniform(0.02, 0.06) + 0.085 * near**2
        _cell(canvas, canvas.uniform(-0.02, 1.02), canvas.uniform(0, 1), radius, near)


def _cell(canvas: Canvas, u: float, v: float, radius: float, near: float) -> None:
    tones = canvas.palette
    size = int(radius * canvas.height * 1.25)
    x0, y0 = int(u * canvas.width), int(v * canvas.height)
    rows = slice(max(0, y0 - size), min(canvas.height, y0 + size))
    columns = slice(max(0, x0 - size), min(canvas.width, x0 + size))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - y0) / (radius * canvas.height)
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - x0) / (radius * canvas.height)
    angle, turn = np.arctan2(dy, dx), canvas.uniform(0, 6)
    far = np.hypot(dx, dy) * (1 + 0.05 * np.sin(angle * 3 + turn) + 0.03 * np.sin(angle * 5 - turn))
    blur = 0.03 + 0.16 * abs(near - 0.6)
    body = 1 / (1 + np.exp(np.clip((far - 1) / blur * 2.5, -40, 40)))
    wall = np.exp(-(((far - 0.93) / (0.045 + blur * 0.6)) ** 2))
    heart = np.hypot(dx - 0.2 * np.cos(turn), dy - 0.2 * np.sin(turn))
    core = np.exp(-((heart / 0.34) ** 2))
    shine = np.exp(-(((dx + 0.38) / 0.28) ** 2) - ((dy + 0.42) / 0.2) ** 2)
    below = canvas.pixels[rows, columns]
    for cover, tone, strength in ((body, tones.middle, 0.42), (core, tones.accent, 0.75), (core**4, tones.deep, 0.5)):
        below += (cover * np.float32(strength))[..., None] * (tone - below)
    for cover, strength in ((wall, 0.7), (shine * body, 0.5)):
        below += (cover * np.float32(strength))[..., None] * tones.light * (1 - below)


def lights(canvas: Canvas) -> None:
    """Round lights out of focus, and the beams between them."""
    tones = canvas.palette
    canvas.gradient([(0, tones.dark), (0.5, tones.middle), (1, tones.deep)])
    canvas.screen((canvas.noise(2, octaves=4) * 0.5).astype(np.float32), tones.soft)
    u, v = canvas.uniform(0.15, 0.85), canvas.uniform(-0.05, 0.2)
    canvas.glow(u, v, 0.5, tones.accent, 0.7)
    canvas.screen(beams(canvas, u, v - 0.1, 0.85), tones.light)
    for number in range(46):
        _bokeh(canvas, 0.012 + 0.075 * (number / 45) ** 1.6 * canvas.uniform(0.5, 1))


def _bokeh(canvas: Canvas, radius: float) -> None:
    tones = canvas.palette
    tone = (tones.accent, tones.light, tones.soft, tones.accent)[int(canvas.random.integers(4))]
    size = max(3, int(radius * canvas.height))
    x0, y0 = int(canvas.uniform(-0.05, 1.05) * canvas.width), int(canvas.uniform(0, 1) ** 0.8 * canvas.height)
    rows = slice(max(0, y0 - size), min(canvas.height, y0 + size))
    columns = slice(max(0, x0 - size), min(canvas.width, x0 + size))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - y0) / size
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - x0) / size
    far = np.hypot(dx, dy)
    edge = np.clip((0.96 - far) * size * 0.25, 0, 1)
    light = edge * (0.45 + 0.55 * np.clip(far, 0, 1) ** 6) * np.float32(canvas.uniform(0.18, 0.55))
    below = canvas.pixels[rows, columns]
    below += light[..., None] * tone * (1 - below)
