"""The view of a running job: a bar and a line per step on a terminal, one plain line per change elsewhere."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from .board import Board, Change, spoken

NAME_WIDTH = 34
MARKS = {"done": "[green]✓[/green]", "reused": "[cyan]=[/cyan]", "failed": "[red]✗[/red]"}


class View(Protocol):
    """Shows changes while it is open."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, change: Change) -> None: ...


def view_on(console: Console, board: Board, title: str) -> View:
    """Moving pictures need a terminal that can move its cursor."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, board, title)
    return PlainView(console, board)


class PlainView:
    """For logs and pipes: no control characters, nothing is overwritten."""

    def __init__(self, console: Console, board: Board) -> None:
        self._console = console
        self._board = board
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, change: Change) -> None:
        if change.small:
            return
        elapsed = time.monotonic() - self._started
        self._console.print(f"{elapsed:6.1f} s  {_sentence(self._board, change)}", markup=False)


def _sentence(board: Board, change: Change) -> str:
    if change.kind == "job":
        return f"job: {change.sentence}"
    seconds = board.steps[change.step_id].seconds if change.step_id else 0.0
    endings = {"began": " …", "done": f": done in {seconds:.1f} s", "reused": ": was there already", "failed": ""}
    return change.sentence + endings.get(change.kind, "")


class LiveView:
    """The job's bar with the running steps below it; what is done scrolls away upwards."""

    def __init__(self, console: Console, board: Board, title: str) -> None:
        self._console = console
        self._board = board
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(width=NAME_WIDTH, no_wrap=True)),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            Left(board),
            console=console,
            transient=True,
        )
        self._job = self._progress.add_task(title, total=100)
        self._lines: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, change: Change) -> None:
        if change.step_id:
            self._show_step(change, change.step_id)
        elif change.kind == "warned" or self._board.status.startswith("waiting"):
            self._console.print(f"  {change.sentence}", markup=False)
        self._progress.update(self._job, completed=self._board.progress)

    def _show_step(self, change: Change, step_id: str) -> None:
        step = self._board.steps[step_id]
        if change.kind == "skipped":
            self._leave(step_id)
        elif step.over:
            self._leave(step_id)
            line = Text.from_markup(f"  {MARKS[change.kind]} ")
            self._console.print(line.append(f"{change.sentence:<{NAME_WIDTH}} {step.seconds:6.1f} s"))
        elif step_id not in self._lines:
            self._lines[step_id] = self._progress.add_task(f"  {step.name}", total=100, completed=step.progress)
        else:
            self._progress.update(self._lines[step_id], completed=step.progress)

    def _leave(self, step_id: str) -> None:
        if step_id in self._lines:
            self._progress.remove_task(self._lines.pop(step_id))


class Left(ProgressColumn):
    """How long the job may still take, beside the job's own bar only."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def render(self, task: Task) -> Text:
        left = self._board.seconds_left() if task.id == 0 else None
        return Text(f"about {spoken(left)} left" if left and left >= 1 else "")
