"""What a viewer knows of a running job: how far it is, how long it may take, and what each step does."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .api import Json

Clock = Callable[[], float]
Names = Callable[[], dict[str, str]]
# A long step is worth a line each time it passes another quarter.
QUARTER = 25


@dataclass
class StepLine:
    """One step; `seconds` is how long it was seen to run."""

    name: str
    began_at: float
    progress: int = 0
    seconds: float = 0.0
    over: bool = False


@dataclass(frozen=True)
class Change:
    """One thing that changed: `kind` is began, moved, done, reused, skipped, failed, warned, or job.

    A small one is not worth a line.
    """

    kind: str
    sentence: str
    step_id: str | None = None
    small: bool = False


@dataclass
class Board:
    """Folds messages. `names` asks for the names of all steps; it is called when a step is seen that has none yet."""

    names: Names
    clock: Clock = time.monotonic
    progress: int = 0
    status: str = "pending"
    steps: dict[str, StepLine] = field(default_factory=dict)
    _eta: tuple[float, float] | None = None
    _known: dict[str, str] = field(default_factory=dict)

    def take(self, message: Json) -> list[Change]:
        """What the message changes."""
        self.status = message.get("status", self.status) if message["type"].startswith("job.") else self.status
        maker = _MAKERS.get(message["type"])
        return maker(self, message) if maker else []

    def seconds_left(self) -> float | None:
        """Counts down between two messages; None while nobody can tell."""
        if self._eta is None:
            return None
        seconds, said_at = self._eta
        return max(0.0, seconds - (self.clock() - said_at))

    def _job_progress(self, message: Json) -> list[Change]:
        self.progress = max(self.progress, message["progress"])
        if (seconds := message.get("eta_seconds")) is not None:
            self._eta = (seconds, self.clock())
        left = self.seconds_left()
        return [Change("job", f"{self.progress} %" + (f", about {spoken(left)} left" if left else ""))]

    def _job_changed(self, message: Json) -> list[Change]:
        self.progress = max(self.progress, message.get("progress", 0))
        reason = message.get("reason") or message.get("error")
        return [Change("job", message["type"].removeprefix("job.") + (f": {reason}" if reason else ""))]

    def _step_moved(self, message: Json) -> list[Change]:
        step, new = self._step(message)
        if step.over:
            return []
        passed = message["progress"] // QUARTER > step.progress // QUARTER
        step.progress = max(step.progress, message["progress"])
        if new:
            return [Change("began", step.name, message["step_id"])]
        return [Change("moved", f"{step.name}: {step.progress} %", message["step_id"], small=not passed)]

    def _step_completed(self, message: Json) -> list[Change]:
        step = self._end(message)
        skipped = message.get("status") == "skipped"
        kind = "skipped" if skipped else "reused" if message.get("reused") else "done"
        return [Change(kind, step.name, message["step_id"], small=skipped)]

    def _step_failed(self, message: Json) -> list[Change]:
        step = self._end(message)
        return [Change("failed", f"{step.name}: {message.get('error') or message.get('code')}", message["step_id"])]

    def _step_warned(self, message: Json) -> list[Change]:
        step, _ = self._step(message)
        return [Change("warned", f"{step.name}: {message['message']}")]

    def _end(self, message: Json) -> StepLine:
        step, _ = self._step(message)
        step.progress, step.over = 100, True
        step.seconds = self.clock() - step.began_at
        return step

    def _step(self, message: Json) -> tuple[StepLine, bool]:
        step_id = message["step_id"]
        if step_id in self.steps:
            return self.steps[step_id], False
        if step_id not in self._known:
            self._known = self.names()
        name = self._known.get(step_id) or message["step_key"]
        self.steps[step_id] = StepLine(name, began_at=self.clock())
        return self.steps[step_id], True


_MAKERS: dict[str, Callable[[Board, Json], list[Change]]] = {
    "job.queued": Board._job_changed,
    "job.started": Board._job_changed,
    "job.progress": Board._job_progress,
    "job.waiting": Board._job_changed,
    "job.completed": Board._job_changed,
    "job.failed": Board._job_changed,
    "job.cancelled": Board._job_changed,
    "step.started": Board._step_moved,
    "step.progress": Board._step_moved,
    "step.completed": Board._step_completed,
    "step.failed": Board._step_failed,
    "step.warning": Board._step_warned,
}


def spoken(seconds: float) -> str:
    """`45 s`, `1 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
