"""What people read when a production did not succeed: what failed, where the log is, what to do."""

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
OUR_MISTAKES = 500


class NotDelivered(Exception):
    """What was to arrive did not."""


KINDS = (
    Refused, Unreachable, Incomplete, JobEnded, NotDelivered,
    AlreadyRunning, NotReady, PostgresUnavailable, TopicsRefused, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class Advice:
    """What else is said about a failure: its stable code, whose log to read (`*` is all of them), a step to take."""

    code: str = ""
    log_of: str = ""
    todo: str = ""


@contextmanager
def explained(home: Home | None, again: str) -> Iterator[None]:
    """Ends the command with status 1 and an explanation; `again` is what to type for another try.

    `home` is where the logs are; None when the stack is not on this machine.
    """
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopped.")
        raise typer.Exit(INTERRUPTED) from None
    except KINDS as error:
        explain(error, home, again)
        raise typer.Exit(1) from None


def explain(error: Exception, home: Home | None, again: str) -> None:
    console.print(f"[red]{escape(_headline(error))}[/red]")
    for mistake in error.mistakes if isinstance(error, Refused) else ():
        console.print(f"  {mistake}", markup=False)
    advice = _advice(error, again)
    log = _log(home, advice.log_of) if home and advice.log_of else ""
    for name, line in {"code": advice.code, "log": log, "to do": advice.todo}.items():
        if line:
            console.print(f"  {name:<6} {line}", markup=False)


def _headline(error: Exception) -> str:
    if isinstance(error, JobEnded):
        return f"{error.step}: {error.sentence}" if error.step else error.sentence
    return error.sentence if isinstance(error, Refused) else str(error)


def _advice(error: Exception, again: str) -> Advice:
    doctor = f"`fenta doctor` looks for the cause; then {again}."
    match error:
        case JobEnded():
            todo = error.hint or f"Try again: {again}. If it fails again, read the log."
            advice = Advice(error.code, error.service, todo)
        case Refused() if error.status < OUR_MISTAKES:
            advice = Advice(error.code, todo=error.hint or "Change the request, and try again.")
        case Refused():
            advice = Advice(error.code, "gateway", error.hint or doctor)
        case Unreachable():
            advice = Advice(log_of="gateway", todo="See `fenta status`, or start a stack with `fenta up`.")
        case AlreadyRunning():
            advice = Advice()
        case _:
            advice = Advice(log_of="notifier" if isinstance(error, NotDelivered) else "*", todo=doctor)
    return advice


def _log(home: Home, service: str) -> str:
    """The way to it from where one is, if it lies below."""
    path, here = home.log(service), Path.cwd().resolve()
    path = path if path.exists() else home.logs
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
