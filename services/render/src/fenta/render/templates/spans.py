"""Scenes in the film's time: as long as their speech, and together near what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from fenta.contracts.documents import Scene, Speech
from fenta.contracts.templates import Rules
from fenta.render.errors import RenderRefused
from fenta.render.templates.bindings import Bindings, Visual
from fenta.render.timeline import grid_ms

# The end card must stay long enough to be read after the last word.
LONGEST_HOLD_MS = 3600
LONGEST_STRETCH_MS = 1200
SHORTEST_GAP_MS = 80


@dataclass(frozen=True)
class Span:
    """A scene in the film's time; `voice_ms` is when its speech begins."""

    scene: Scene
    number: int
    start_ms: int
    duration_ms: int
    voice_ms: int
    speech: Speech | None

    @property
    def key(self) -> str:
        return self.scene.key

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.duration_ms


@dataclass(frozen=True)
class Shot:
    """A picture's time within its scene."""

    key: str
    span: Span
    start_ms: int
    end_ms: int
    visual: Visual


def spans(bindings: Bindings, rules: Rules) -> list[Span]:
    scenes = bindings.script.scenes()
    spoken = [bindings.speech.get(scene.key) for scene in scenes]
    gap, lengths = _fit(bindings, rules, [speech.duration_ms if speech else 0 for speech in spoken])
    starts = [0, *accumulate(lengths)]
    lead = gap // 2 // 10 * 10
    return [
        Span(scene, number, start, length, start + lead, speech)
        for number, (scene, start, length, speech) in enumerate(zip(scenes, starts, lengths, spoken, strict=False), 1)
    ]


def _fit(bindings: Bindings, rules: Rules, spoken: Sequence[int]) -> tuple[int, list[int]]:
    """The gap and the scenes' lengths that bring the film near its target, as far as the speech allows."""
    grid, hold, shortest = grid_ms(bindings.fps), rules.hold_ms, _given(bindings.min_scene_ms, rules.min_scene_ms)
    gap = _given(bindings.gap_ms, rules.gap_ms)
    lengths = _lengths(spoken, grid, shortest, gap, hold)
    if bindings.target_ms is None:
        return gap, lengths
    if sum(lengths) > bindings.target_ms:
        return SHORTEST_GAP_MS, _lengths(spoken, grid, shortest, SHORTEST_GAP_MS, hold // 2)
    return gap, _stretched(lengths, round(bindings.target_ms * 0.87), grid, hold)


def _given(value: int | None, usual: int) -> int:
    return usual if value is None else value


def _lengths(spoken: Sequence[int], grid: int, shortest: int, gap: int, hold: int) -> list[int]:
    natural = [max(shortest, speech + gap) for speech in spoken]
    natural[-1] += hold
    return [_up(length, grid) for length in natural]


def _stretched(lengths: list[int], wanted: int, grid: int, hold: int) -> list[int]:
    missing = max(0, wanted - sum(lengths))
    held = min(missing, max(0, LONGEST_HOLD_MS - hold))
    each = min(LONGEST_STRETCH_MS, (missing - held) // len(lengths))
    longer = [_up(length + each, grid) for length in lengths]
    return [*longer[:-1], _up(longer[-1] + held, grid)]


def _up(milliseconds: int, grid: int) -> int:
    return -(-milliseconds // grid) * grid


# --- pictures ---------------------------------------------------------------------------------------------------------


def shots(bindings: Bindings, found: Sequence[Span]) -> list[Shot]:
    """Raises RenderRefused `slot_empty` when there is no picture at all."""
    parts = [(span, part) for span in found for part in _parts(bindings, span)]
    filled = _filled([bindings.visuals.get(key) for _, (key, _, _) in parts])
    return [
        Shot(key, span, start, end, visual) for (span, (key, start, end)), visual in zip(parts, filled, strict=True)
    ]


def _parts(bindings: Bindings, span: Span) -> list[tuple[str, int, int]]:
    """Key, start and end of every picture of a scene; several share its time equally."""
    keys = sorted(key for key in bindings.visuals if key.startswith(f"{span.key}."))
    if span.key in bindings.visuals or not keys:
        return [(span.key, span.start_ms, span.end_ms)]
    grid = grid_ms(bindings.fps)
    borders = [span.start_ms + span.duration_ms * index // len(keys) // grid * grid for index in range(len(keys))]
    return [(key, start, end) for key, (start, end) in zip(keys, pairwise([*borders, span.end_ms]), strict=True)]


def _filled(visuals: Sequence[Visual | None]) -> list[Visual]:
    """A shot without a picture shows the one before it again, or at the beginning the first there is."""
    first = next((visual for visual in visuals if visual), None)
    if first is None:
        raise RenderRefused("slot_empty", "There is no picture for any scene.", "Give at least one picture or clip.")
    filled: list[Visual] = []
    for visual in visuals:
        filled.append(visual or (filled[-1] if filled else first))
    return filled
