"""What people read when a production did not succeed: what failed, where the log is, what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape

from fenta.embedded.client.api import Refused, Unreachable
from fenta.embedded.client.download import Incomplete
from fenta.embedded.client.production import JobEnded
from fenta.embedded.home import Home
from fenta.embedded.postgres import PostgresUnavailable
from fenta.embedded.processes import AlreadyRunning, NotReady
from fenta.embedded.topics import TopicsRefused

from .console import console

INTERRUPTED = 130
RETRYABLE_STATUS = 500


class NotDelivered(Exception):
    """What was to arrive did not."""


KINDS = (
    Refused, Unreachable, Incomplete, JobEnded, NotDelivered,
    AlreadyRunning, NotReady, PostgresUnavailable, TopicsRefused, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class Advice:
    """What else is said about a failure: its stable code, the service whose log to read, and a step to take."""

    code: str = ""
    service: str | None = None
    todo: str = ""


@contextmanager
def explained(home: Home | None, again: str) -> Iterator[None]:
    """Ends the command with status 1 and an explanation; `again` is what to type for another try.

    `home` is where the logs are; None when the stack is not on this machine.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except KINDS as error:
        explain(error, home, again)
        raise typer.Exit(1) from None


def explain(error: Exception, home: Home | None, again: str) -> None:
    console.print(f"[red]{escape(_headline(error))}[/red]")
    for mistake in error.mistakes if isinstance(error, Refused) else ():
        console.print(f"  {mistake}", markup=False)
    advice = _advice(error, again)
    lines = {"code": advice.code, "log": _log(home, advice.service), "to do": advice.todo}
    for name, line in lines.items():
        if line:
            console.print(f"  {name:<6} {line}", markup=False)


def _headline(error: Exception) -> str:
    if isinstance(error, JobEnded):
        return f"{error.step}: {error.sentence}" if error.step else error.sentence
    return error.sentence if isinstance(error, Refused) else str(error)


def _advice(error: Exception, again: str) -> Advice:
    doctor = f"`fenta doctor` looks for the cause; then {again}."
    if isinstance(error, JobEnded):
        return Advice(error.code, error.service, error.hint or f"Try again: {again}. If it fails again, read the log.")
    if isinstance(error, Refused):
        ours = error.status >= RETRYABLE_STATUS
        return Advice(error.code, "gateway", error.hint or (doctor if ours else "Change the request, and try again."))
    if isinstance(error, Unreachable):
        return Advice(service="gateway", todo="See `fenta status`, or start a stack with `fenta up`.")
    if isinstance(error, NotDelivered):
        return Advice(service="notifier", todo=doctor)
    return Advice(todo=doctor if not isinstance(error, AlreadyRunning) else "")


def _log(home: Home | None, service: str | None) -> str:
    if home is None:
        return ""
    path = home.log(service) if service else home.logs
    return str(path if service is None or path.exists() else home.logs) if not _near(path) else str(_near(path))


def _near(path: Path) -> Path | None:
    """The shorter way to say it, when it lies below where one is."""
    here = Path(os.path.realpath("."))
    return path.relative_to(here) if path.is_relative_to(here) else None
