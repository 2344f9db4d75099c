"""How clips come and go: what an animation does to a clip at a moment, whatever the clip is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fenta.contracts.timeline import Animation, AnimationName, Easing, OverlayClip, VideoClip
from fenta.render.compose.curves import eased

# A soft step up, in shares of the canvas' height.
RISE = 0.035
SMALL, NEAR = 0.55, 0.35
# Goes beyond its end and comes back, as CSS has it.
_BACK: Easing = (0.34, 1.56, 0.64, 1.0)

Way = Literal["left", "right", "up", "down"]


@dataclass(frozen=True)
class Change:
    """Shifts are shares of the canvas. Of a clip that comes bit by bit `shown` is the share that is seen, uncovered
    to the side of `way`, or letter by letter."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    opacity: float = 1.0
    shown: float = 1.0
    way: Way = "right"
    letters: bool = False


NONE = Change()
# From how much of the way an animation has gone, eased, and how much of its time.
Effect = Callable[[float, float], Change]


def _none(at: float, time: float) -> Change:
    """At once."""
    return NONE


def _fade(at: float, time: float) -> Change:
    """Out of nothing, in its place."""
    return Change(opacity=min(1.0, at))


def _step(down: float) -> Effect:
    def step(at: float, time: float) -> Change:
        """A small way up or down, out of nothing."""
        return Change(y=-down * RISE * (1 - at), opacity=min(1.0, 2 * time))

    return step


def _slide(right: float, down: float) -> Effect:
    def slide(at: float, time: float) -> Change:
        """From beyond the edge, moving to the side that the word says."""
        return Change(x=-right * (1 - at), y=-down * (1 - at))

    return slide


def _pop(at: float, time: float) -> Change:
    """Grows a little beyond its size and back."""
    return Change(scale=SMALL + (1 - SMALL) * at, opacity=min(1.0, 3 * time))


def _zoom(at: float, time: float) -> Change:
    """From nearby, out of nothing."""
    return Change(scale=1 + NEAR * (1 - at), opacity=min(1.0, at))


def _wipe(way: Way) -> Effect:
    def wipe(at: float, time: float) -> Change:
        """Uncovered to the side that the word says."""
        return Change(shown=min(1.0, max(0.0, at)), way=way)

    return wipe


def _typewriter(at: float, time: float) -> Change:
    """Letter by letter; a picture is uncovered to the right."""
    return Change(shown=min(1.0, max(0.0, at)), letters=True)


ANIMATIONS: Mapping[AnimationName, Effect] = {
    "none": _none,
    "fade": _fade,
    "rise": _step(-1),
    "drop": _step(1),
    "slide_left": _slide(-1, 0),
    "slide_right": _slide(1, 0),
    "slide_up": _slide(0, -1),
    "slide_down": _slide(0, 1),
    "pop": _pop,
    "zoom": _zoom,
    "wipe_left": _wipe("left"),
    "wipe_right": _wipe("right"),
    "wipe_up": _wipe("up"),
    "wipe_down": _wipe("down"),
    "typewriter": _typewriter,
}
_OWN: Mapping[AnimationName, Easing] = {"pop": _BACK, "fade": "linear", "typewriter": "linear"}


def change(clip: VideoClip | OverlayClip, now_ms: float) -> Change:
    """What is done to a clip at a moment, counted from its start."""
    return changed(clip.enter, clip.leave, clip.duration_ms, now_ms)


def changed(enter: Animation | None, leave: Animation | None, duration_ms: int, now_ms: float) -> Change:
    """The same for animations that a clip does not say itself."""
    coming = _share(enter, duration_ms, now_ms)
    if enter and coming < 1:
        return _at(enter, coming)
    going = _share(leave, duration_ms, duration_ms - now_ms)
    return _at(leave, going) if leave and going < 1 else NONE


def _share(animation: Animation | None, duration_ms: int, passed_ms: float) -> float:
    """Of the animation's time. Never more than half of the clip's goes into one."""
    if animation is None:
        return 1.0
    return min(1.0, max(0.0, passed_ms / min(animation.duration_ms, duration_ms / 2)))


def _at(animation: Animation, share: float) -> Change:
    easing = animation.easing or _OWN.get(animation.kind, "ease_out_cubic")
    return ANIMATIONS[animation.kind](eased(easing, share), share)
