"""What an overlay is drawn of, and how it moves: every mark of it as ASS events on the clock of absolute frames."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from fenta.contracts.timeline import Animation, Canvas, OverlayClip, OverlayProperty, OverlayStyle
from fenta.render.captions.ass import RIGHT_TO_LEFT_MARK, Event, Style, first_frame, marked_up
from fenta.render.captions.text import clusters, is_right_to_left
from fenta.render.compose.animations import Change, changed
from fenta.render.compose.curves import value_at
from fenta.render.places import Box, safe

# How far beyond its box an overlay may be drawn, in shares of the canvas.
SPILL = 0.08


@dataclass(frozen=True)
class Mark:
    """A drawing or a line of text. `x` and `y` are pixels of its anchor, which counts as in ASS.

    `look` holds tags that stay; `entrance` replaces the position where the overlay has no animation of its own.
    `line` is the text of a line, for what comes letter by letter. What `grows` is uncovered as time goes by.
    """

    style: Style
    anchor: int
    x: float
    y: float
    body: str
    look: str = ""
    layer: int = 4
    opacity: float = 1.0
    entrance: str = ""
    delay_ms: int = 0
    line: str = ""
    grows: bool = False


@dataclass(frozen=True)
class State:
    """An overlay in one frame: the middle of its box in pixels, and what else has changed of it."""

    x: float
    y: float
    scale: float
    rotation_degrees: float
    change: Change


# How a style comes and goes where its clip does not say it.
_USUAL: dict[OverlayStyle, tuple[Animation | None, Animation | None]] = {
    "title": (Animation(kind="rise", duration_ms=350), Animation(duration_ms=220)),
    "end_card": (Animation(kind="rise", duration_ms=350), None),
    "lower_third": (Animation(kind="wipe_right", duration_ms=450), Animation(duration_ms=220)),
    "kicker": (Animation(kind="wipe_right", duration_ms=300), Animation(duration_ms=220)),
    "headline": (Animation(kind="wipe_right", duration_ms=500), Animation(duration_ms=220)),
    "heading": (Animation(kind="rise", duration_ms=300), Animation(duration_ms=180)),
    "quote": (Animation(kind="fade", duration_ms=500), Animation(duration_ms=300)),
    "counter": (Animation(kind="pop", duration_ms=350), Animation(duration_ms=200)),
    "watermark": (Animation(duration_ms=400), None),
    "progress": (None, None),
}


def box_of(clip: OverlayClip, canvas: Canvas) -> Box:
    """Its own, or the place that its style has where no platform covers it."""
    if clip.box is not None:
        return clip.box
    left, top, right, _ = safe(canvas.aspect)
    wide = right - left
    places: dict[OverlayStyle, Box] = {
        "lower_third": (left, 0.51, min(wide, 0.79), 0.13),
        "kicker": (left, top, wide, 0.05),
        "headline": (left, top + 0.055, wide, 0.24),
        "heading": (left, top + 0.02, wide, 0.16),
        "quote": (0.1, 0.2, 0.76, 0.4),
        "counter": (0.1, 0.26, 0.76, 0.26),
        "progress": (left, top, wide, 0.006),
        "watermark": (right - 0.45, top + 0.012, 0.45, 0.03),
    }
    return places.get(clip.style, (0.08, 0.12, 0.84, 0.25))


def pixels(clip: OverlayClip, canvas: Canvas) -> Box:
    """The box as left, top, width and height in pixels."""
    x, y, width, height = box_of(clip, canvas)
    return x * canvas.width, y * canvas.height, width * canvas.width, height * canvas.height


def frames_of(clip: OverlayClip, fps: int) -> range:
    return range(first_frame(clip.start_ms, fps), first_frame(clip.start_ms + clip.duration_ms, fps))


def events(
    clip: OverlayClip, marks: Sequence[Mark], canvas: Canvas, fps: int, frames: range | None = None
) -> Iterator[Event]:
    """As few events as show it in these frames, or all of its own: one per mark while nothing changes, one per frame
    while something does."""
    moving, whole = _with_usual(clip), frames_of(clip, fps)
    frames = whole if frames is None else frames
    if _is_plain(clip, moving):
        yield from (_standing(mark, clip, canvas, fps, frames) for mark in marks)
        return
    for state, run in groupby(frames, lambda frame: _state(moving, canvas, frame * 1000 / fps - clip.start_ms)):
        span = list(run)
        for mark in _spelled(marks, state):
            grown = (span[0] - whole[0] + 1) / len(whole) if mark.grows else 1.0
            tags = _tags(mark, clip, canvas, state, grown)
            yield Event(span[0], span[-1] + 1, mark.style.name, f"{{{tags}{mark.look}}}{mark.body}", mark.layer)


def _with_usual(clip: OverlayClip) -> OverlayClip:
    enter, leave = _USUAL[clip.style]
    if enter and enter.kind == "wipe_right" and is_right_to_left(clip.text):
        enter = enter.model_copy(update={"kind": "wipe_left"})
    return clip.model_copy(update={"enter": clip.enter or enter, "leave": clip.leave or leave})


def _is_plain(clip: OverlayClip, moving: OverlayClip) -> bool:
    """Whether it stands still but for what its marks say of their own coming."""
    own = clip.style in {"title", "end_card"} and clip.enter is None and clip.leave is None
    still = own or (moving.enter is None and moving.leave is None)
    return still and not clip.keyframes and (clip.scale, clip.rotation_degrees, clip.opacity) == (1, 0, 1)


def _standing(mark: Mark, clip: OverlayClip, canvas: Canvas, fps: int, frames: range) -> Event:
    first = max(frames.start, first_frame(clip.start_ms + mark.delay_ms, fps))
    place = mark.entrance or f"\\pos({mark.x:.1f},{mark.y:.1f})"
    veil = _alpha(mark.opacity) + (_growing(clip, canvas) if mark.grows else "")
    text = f"{{\\an{mark.anchor}{place}{veil}{mark.look}}}{mark.body}"
    return Event(first, frames.stop, mark.style.name, text, mark.layer)


def _growing(clip: OverlayClip, canvas: Canvas) -> str:
    left, _, width, _ = pixels(clip, canvas)
    start, end = (f"\\clip({left:.0f},0,{right:.0f},{canvas.height})" for right in (left, left + width))
    return f"{start}\\t({end})"


# --- a moment ---------------------------------------------------------------------------------------------------------


def _state(clip: OverlayClip, canvas: Canvas, now_ms: float) -> State:
    left, top, width, height = pixels(clip, canvas)

    def value(name: OverlayProperty, usual: float) -> float:
        return value_at(clip.keyframes[name], now_ms) if name in clip.keyframes else usual

    change = changed(clip.enter, clip.leave, clip.duration_ms, now_ms)
    x = value("x", (left + width / 2) / canvas.width) + change.x
    y = value("y", (top + height / 2) / canvas.height) + change.y
    opacity = min(1.0, max(0.0, value("opacity", clip.opacity))) * change.opacity
    return State(
        round(x * canvas.width, 1),
        round(y * canvas.height, 1),
        round(max(0.0, value("scale", clip.scale)) * change.scale, 3),
        round(value("rotation_degrees", clip.rotation_degrees), 2),
        replace(change, x=0, y=0, scale=1, opacity=round(opacity, 2), shown=round(change.shown, 3)),
    )


def _tags(mark: Mark, clip: OverlayClip, canvas: Canvas, state: State, grown: float) -> str:
    left, top, width, height = pixels(clip, canvas)
    angle = math.radians(state.rotation_degrees)
    right, down = ((mark.x - left - width / 2) * state.scale, (mark.y - top - height / 2) * state.scale)
    x = state.x + right * math.cos(angle) - down * math.sin(angle)
    y = state.y + right * math.sin(angle) + down * math.cos(angle)
    parts = [f"\\an{mark.anchor}\\pos({x:.1f},{y:.1f})", _alpha(state.change.opacity * mark.opacity)]
    if state.scale != 1:
        percent = f"{100 * state.scale:.1f}"
        parts.append(f"\\fscx{percent}\\fscy{percent}\\bord{mark.style.outline * state.scale:.2f}")
    if state.rotation_degrees:
        parts.append(f"\\frz{-state.rotation_degrees:.2f}")
    if grown < 1:
        parts.append(f"\\clip({left:.0f},0,{left + width * grown:.0f},{canvas.height})")
    elif state.change.shown < 1 and not state.change.letters:
        parts.append(_clip(pixels(clip, canvas), canvas, state.change))
    return "".join(parts)


def _alpha(opacity: float) -> str:
    return "" if opacity >= 1 else f"\\alpha&H{round(255 * (1 - opacity)):02X}&"


def _clip(box: Box, canvas: Canvas, change: Change) -> str:
    """What a wipe has uncovered, on a box that is a little larger than the overlay's own."""
    x, y, width, height = box
    left, right = x - SPILL * canvas.width, x + width + SPILL * canvas.width
    top, bottom = y - SPILL * canvas.height, y + height + SPILL * canvas.height
    across, down = (right - left) * change.shown, (bottom - top) * change.shown
    edges = {
        "right": (left, top, left + across, bottom),
        "left": (right - across, top, right, bottom),
        "down": (left, top, right, top + down),
        "up": (left, bottom - down, right, bottom),
    }[change.way]
    return "\\clip({:.0f},{:.0f},{:.0f},{:.0f})".format(*edges)


def _spelled(marks: Sequence[Mark], state: State) -> list[Mark]:
    """With as many letters as are there by now; those to come keep their room, so that nothing jumps."""
    if not state.change.letters or state.change.shown >= 1:
        return list(marks)
    units = [_units(mark.line) for mark in marks]
    left = round(state.change.shown * sum(map(len, units)))
    spelled = []
    for mark, letters in zip(marks, units, strict=True):
        shown = min(left, len(letters))
        left -= shown
        spelled.append(replace(mark, body=_half(mark, letters, shown)) if mark.line else mark)
    return spelled


def _units(line: str) -> list[str]:
    """Letters, or words where letters join."""
    return [word + " " for word in line.split(" ")] if is_right_to_left(line) else clusters(line)


def _half(mark: Mark, letters: Sequence[str], shown: int) -> str:
    begun, rest = "".join(letters[:shown]), "".join(letters[shown:]).rstrip()
    direction = RIGHT_TO_LEFT_MARK if is_right_to_left(mark.line) else ""
    return f"{direction}{marked_up(begun, mark.style)}{{\\alpha&HFF&}}{marked_up(rest, mark.style)}"
