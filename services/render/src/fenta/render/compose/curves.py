"""How a value gets from one to another: easings by name or as a Bezier curve, and keyframes along a clip."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from fenta.contracts.timeline import Easing, Keyframe

Curve = Callable[[float], float]


def _gentle(position: float) -> float:
    """A soft start and end; the middle never runs more than half as fast again as a steady move."""
    return position - math.sin(2 * math.pi * position) / (4 * math.pi)


def _leaving(arriving: Curve) -> Curve:
    return lambda position: 1 - arriving(1 - position)


def _both(start: Curve) -> Curve:
    """The first half as `start`, the second as its mirror."""
    return lambda position: start(2 * position) / 2 if position < 0.5 else 1 - start(2 - 2 * position) / 2


def _sine(position: float) -> float:
    return 1 - math.cos(position * math.pi / 2)


def _power(exponent: int) -> Curve:
    return lambda position: float(position**exponent)


def _family(name: str, start: Curve) -> dict[str, Curve]:
    return {f"ease_in_{name}": start, f"ease_out_{name}": _leaving(start), f"ease_in_out_{name}": _both(start)}


EASINGS: Mapping[str, Curve] = {
    "linear": lambda position: position,
    "ease_in_out": _gentle,
    **_family("sine", _sine),
    **_family("quad", _power(2)),
    **_family("cubic", _power(3)),
}


def eased(easing: Easing, position: float) -> float:
    """The share of the way at `position`, 0 to 1, of the time. A Bezier curve may leave 0 to 1 in between."""
    return EASINGS[easing](position) if isinstance(easing, str) else _bezier(*easing, position)


def _bezier(x1: float, y1: float, x2: float, y2: float, position: float) -> float:
    low, high = 0.0, 1.0
    # Time never runs back along the curve, so halving finds the place; 40 steps are finer than a float can say.
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _cubic(x1, x2, middle) < position else (low, middle)
    return _cubic(y1, y2, (low + high) / 2)


def _cubic(first: float, second: float, along: float) -> float:
    rest = 1 - along
    return 3 * rest * rest * along * first + 3 * rest * along * along * second + along**3


def value_at(keyframes: Sequence[Keyframe], now_ms: float) -> float:
    """The value at a moment of the clip: the first one before, the last one after all keyframes."""
    index = bisect_right([keyframe.at_ms for keyframe in keyframes], now_ms)
    if index in (0, len(keyframes)):
        return keyframes[max(0, index - 1)].value
    before, after = keyframes[index - 1], keyframes[index]
    share = eased(before.easing, (now_ms - before.at_ms) / (after.at_ms - before.at_ms))
    return before.value + (after.value - before.value) * share


def in_order(keyframes: Sequence[Keyframe]) -> bool:
    return all(before.at_ms < after.at_ms for before, after in pairwise(keyframes))
