"""dead-letters: what no service could handle, why, and another try."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

import asyncio
import json
import os
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from .console import console, fail

T = TypeVar("T")

letters = typer.Typer(
    help="Messages that could not be handled, in the databases of the services.", no_args_is_help=True
)
Service = Annotated[str | None, typer.Option("--service", "-s", help="One of the six; all of them if left out.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(letters, name="dead-letters")


@letters.command("list")
def list_(*, service: Service = None, limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 50) -> None:
    """Show the newest, one a line: when, whose, from which topic, why, and its id."""
    from fenta.embedded.letters import list_letters

    found = _run(list_letters(_urls(service), limit))
    for letter in found:
        origin = f"{letter['topic']}/{letter['partition']}@{letter['kafka_offset']}"
        again = "  (sent again)" if letter["replayed_at"] else ""
        when = f"{letter['created_at']:%Y-%m-%d %H:%M:%S}"
        line = f"{when}  {letter['service']:<11} {origin:<34} {letter['reason']:<14} {letter['id']}{again}"
        console.print(line, markup=False)
    if not found:
        console.print("There are no dead letters.")


@letters.command()
def show(letter_id: UUID, *, service: Service = None) -> None:
    """Show one letter as JSON: its origin, headers and value, and the error."""
    from fenta.embedded.letters import find_letter

    letter = _run(find_letter(_urls(service), letter_id))
    if letter is None:
        raise fail(f"There is no dead letter {letter_id}.")
    print_json = json.dumps({name: _readable(value) for name, value in letter.items()}, indent=2, ensure_ascii=False)
    console.print(print_json, markup=False)


@letters.command()
def replay(letter_ids: list[UUID], *, service: Service = None) -> None:
    """Send these again: to the topic they came from, through the outbox of the service that set them aside."""
    from fenta.embedded.letters import replay_letters

    replayed = _run(replay_letters(_urls(service), letter_ids))
    for letter_id in letter_ids:
        sentence = "goes out again" if letter_id in replayed else "does not exist"
        console.print(f"{letter_id} {sentence}.")
    if len(replayed) < len(set(letter_ids)):
        raise typer.Exit(1)


def _urls(service: str | None) -> dict[str, str]:
    from fenta.contracts.topics import SERVICES
    from fenta.embedded.home import Home
    from fenta.embedded.letters import NoDatabase, database_urls

    if service is not None and service not in SERVICES:
        raise fail(f"There is no service {service}. There are: {', '.join(SERVICES)}.")
    try:
        urls = database_urls(Home(), os.environ.get("DATABASE_URL"), service)
    except NoDatabase as error:
        raise fail(str(error)) from None
    if service is not None and service not in urls:
        raise fail(f"DATABASE_URL belongs to {next(iter(urls))}, not to {service}.")
    return urls


def _run(question: Coroutine[Any, Any, T]) -> T:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return asyncio.run(question)
    except (OSError, SQLAlchemyError) as error:
        raise fail(f"The database does not answer: {str(error).splitlines()[0]}") from None


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        text = value.decode(errors="replace")
        try:
            return json.loads(text)
        except ValueError:
            return text
    return value if isinstance(value, (dict, int, str)) or value is None else str(value)
