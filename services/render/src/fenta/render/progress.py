"""How far a film is, told at most once a second and never backwards."""

import time
from collections.abc import Callable

from fenta.contracts.events import RenderRequested, StepProgressed
from fenta.render.answers import step_of

PAUSE_SECONDS = 1.0
FETCHED, ENCODED = 3, 95

Publish = Callable[[StepProgressed], None]


class Reporter:
    """Tells of one step; such news may be lost, so nothing depends on it."""

    def __init__(self, request: RenderRequested, publish: Publish, clock: Callable[[], float] = time.monotonic) -> None:
        self._request, self._publish, self._clock = request, publish, clock
        self._told_at = self._began = float("-inf")
        self._told = -1

    def begin(self) -> None:
        self._began = self._clock()
        self._tell(0, "Fetching the parts", None)

    def frames(self, done: int, total: int) -> None:
        """The engine's own count."""
        share = done / max(1, total)
        elapsed = (self._clock() - self._began) * 1000
        left = round(elapsed / share * (1 - share)) if share else None
        self.tell(FETCHED + round((ENCODED - FETCHED) * share), "Rendering", left)

    def tell(self, progress: int, phase: str, eta_ms: int | None = None) -> None:
        """Say it, unless it was said within the last second."""
        if progress > self._told and self._clock() - self._told_at >= PAUSE_SECONDS:
            self._tell(progress, phase, eta_ms)

    def _tell(self, progress: int, phase: str, eta_ms: int | None) -> None:
        self._told, self._told_at = progress, self._clock()
        step = step_of(self._request)
        self._publish(StepProgressed(**step, progress=progress, phase_text=phase, eta_ms=eta_ms))
