"""Units of work and how many of them a node takes: bounds before the work, exact numbers after it."""

import math
from typing import Literal

from fenta.contracts.models import MODELS
from fenta.contracts.values import Contract

Unit = Literal["llm_tokens", "kai_credits", "tts_characters", "render_seconds"]
UNITS: tuple[Unit, ...] = ("llm_tokens", "kai_credits", "tts_characters", "render_seconds")

QUALITY = {"540p": 1.0, "720p": 1.0, "1080p": 1.5, "2160p": 4.0}

# The slowest and the fastest voice we know, in characters a second, with room for other languages.
SLOW_SPEECH, FAST_SPEECH = 6.0, 26.0


class Size(Contract):
    """What is known, or bounded, of a production before its parts exist."""

    seconds: int
    characters_low: int
    characters_high: int
    scenes_low: int
    scenes_high: int


Bounds = tuple[dict[str, int], dict[str, int]]


def size_of_brief(*, seconds: int, facts: int, max_segments: int | None) -> Size:
    """Bounds for a script that has still to be written; `facts` is the length of all given points in characters."""
    scenes = (max_segments or math.ceil(seconds / 6)) + 2
    high = max(math.ceil(seconds * FAST_SPEECH), facts) + 600
    return Size(
        seconds=seconds,
        characters_low=min(40, math.ceil(seconds * 2)),
        characters_high=high,
        scenes_low=1,
        scenes_high=scenes,
    )


def size_of_script(scene_characters: list[int]) -> Size:
    """Exact where a script is given."""
    characters = sum(scene_characters)
    return Size(
        seconds=max(1, math.ceil(characters / 14)),
        characters_low=characters,
        characters_high=characters,
        scenes_low=len(scene_characters),
        scenes_high=len(scene_characters),
    )


def tokens(characters: int) -> int:
    """A text's tokens, by the rule of thumb of four characters each, rounded up."""
    return math.ceil(characters / 4)


def script_tokens(size: Size) -> Bounds:
    return {"llm_tokens": tokens(size.characters_low)}, {"llm_tokens": tokens(size.characters_high * 4) + 800}


def storyboard_tokens(size: Size) -> Bounds:
    low = tokens(size.characters_low)
    return {"llm_tokens": low}, {"llm_tokens": tokens(size.characters_high * 3) + 200 * size.scenes_high}


def speech_characters(size: Size) -> Bounds:
    return {"tts_characters": size.characters_low}, {"tts_characters": size.characters_high}


def credits_each(models: list[str], count: int) -> Bounds:
    """Credits for `count` outputs: the cheapest and the dearest model of the chain."""
    prices = [MODELS[name].credits for name in models] or [0]
    return {"kai_credits": min(prices) * count}, {"kai_credits": max(prices) * count}


def render_seconds(seconds: float, resolution: str) -> int:
    """Output seconds newly encoded, times the quality's multiplier, rounded up."""
    return math.ceil(seconds * QUALITY[resolution])


def render_bounds(size: Size, resolution: str, *, films: int = 1) -> Bounds:
    """A film lasts as long as its speech, whatever was asked for; each aspect is a film."""
    shortest = max(1.0, size.characters_low / FAST_SPEECH)
    longest = size.characters_high / SLOW_SPEECH + 2 * size.scenes_high
    return (
        {"render_seconds": render_seconds(films * shortest, resolution)},
        {"render_seconds": render_seconds(films * min(longest, size.seconds * 1.6 + 20), resolution)},
    )


def add(*amounts: dict[str, int]) -> dict[str, int]:
    """Sum of amounts per unit, without zeros."""
    total: dict[str, int] = {}
    for amount in amounts:
        for unit, quantity in amount.items():
            total[unit] = total.get(unit, 0) + quantity
    return {unit: quantity for unit, quantity in total.items() if quantity}


def fits(wanted: dict[str, int], left: dict[str, int]) -> bool:
    return all(quantity <= left.get(unit, 0) for unit, quantity in wanted.items())
