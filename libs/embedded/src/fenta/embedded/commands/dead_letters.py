"""dead-letters: what no service could handle, why, and another try."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

import asyncio
import json
import os
import re
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from .console import console, fail

if TYPE_CHECKING:
    from fenta.chassis.dead_letters import Wanted

T = TypeVar("T")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# So many are treated by one call at most; the same call again goes on.
MOST_TREATED = 10_000

letters = typer.Typer(
    help="Messages that could not be handled, in the databases of the services.", no_args_is_help=True
)
Service = Annotated[str | None, typer.Option("--service", "-s", help="One of the six; all of them if left out.")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Why it was set aside, such as handler_failed.")]
Topic = Annotated[str | None, typer.Option("--topic", "-t", help="Where it came from, such as job.completed.")]
Older = Annotated[str | None, typer.Option("--older-than", help="Set aside longer ago than this: 90s, 15m, 2h, 3d.")]
Newer = Annotated[str | None, typer.Option("--newer-than", help="Set aside no longer ago than this: 90s, 15m, 2h, 3d.")]
All = Annotated[bool, typer.Option("--all", help="Every letter that waits, if nothing narrower is said.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="Which letters; or say by the options which are meant.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(letters, name="dead-letters")


@letters.command("list")
def list_(
    *,
    service: Service = None,
    reason: Reason = None,
    topic: Topic = None,
    older_than: Older = None,
    newer_than: Newer = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those neither sent again nor dropped.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 50,
) -> None:
    """Show the newest, one a line: when, whose, from which topic, why, how often it was tried, and its id."""
    from fenta.chassis.dead_letters import ALL
    from fenta.embedded.letters import list_letters

    wanted = _wanted(reason, topic, older_than, newer_than, waiting=waiting)
    found = _run(list_letters(_urls(service), limit, wanted))
    for letter in found:
        console.print(_line(letter), markup=False)
    if not found:
        console.print("There are no dead letters." if wanted == ALL else "No dead letter is like that.")


@letters.command()
def show(letter_id: UUID, *, service: Service = None) -> None:
    """Show one letter as JSON: its origin, headers and value, the error, and where in our code it came from."""
    from fenta.embedded.letters import find_letter

    letter = _run(find_letter(_urls(service), letter_id))
    if letter is None:
        raise fail(f"There is no dead letter {letter_id}.")
    shown = {name: _readable(value) for name, value in letter.items()}
    shown["stack"] = letter["stack"].splitlines()
    console.print(json.dumps(shown, indent=2, ensure_ascii=False), markup=False)


@letters.command()
def replay(
    letter_ids: Ids = None,
    *,
    service: Service = None,
    reason: Reason = None,
    topic: Topic = None,
    older_than: Older = None,
    newer_than: Newer = None,
    all_: All = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent again before.")] = False,
) -> None:
    """Send letters to their topic again; only the service that set them aside reads them there."""
    from fenta.embedded.letters import replay_letters

    urls = _urls(service)
    ids = _chosen(urls, letter_ids, _wanted(reason, topic, older_than, newer_than, waiting=not again), all_, service)
    _tell(ids, _run(replay_letters(urls, ids, again=again)), "goes out again")


@letters.command()
def drop(
    letter_ids: Ids = None,
    *,
    note: Annotated[str, typer.Option("--note", help="Why nobody needs it; kept beside the letter.")],
    service: Service = None,
    reason: Reason = None,
    topic: Topic = None,
    older_than: Older = None,
    newer_than: Newer = None,
    all_: All = False,
) -> None:
    """Let go of letters. They stay in the database, with the note, and are not sent again."""
    from fenta.embedded.letters import drop_letters

    if not note.strip():
        raise fail("The note is empty. Say in a few words why nobody needs these letters.")
    urls = _urls(service)
    ids = _chosen(urls, letter_ids, _wanted(reason, topic, older_than, newer_than, waiting=True), all_, service)
    _tell(ids, _run(drop_letters(urls, ids, note.strip())), "is dropped")


def _chosen(
    urls: dict[str, str], ids: Sequence[UUID] | None, wanted: "Wanted", everything: bool, service: str | None
) -> list[UUID]:
    """The letters that were named, or those that fit; never all of them by a slip."""
    from fenta.embedded.letters import list_letters

    narrowed = any((wanted.reason, wanted.topic, wanted.older_than_seconds, wanted.newer_than_seconds))
    if ids and (everything or narrowed):
        raise fail("Give either ids or options that say which letters are meant, not both.")
    if ids:
        return list(dict.fromkeys(ids))
    if not (narrowed or service or everything):
        raise fail("Which letters? Give their ids, or narrow them down by the options, or say --all.")
    found = _run(list_letters(urls, MOST_TREATED, wanted))
    if not found:
        raise fail("No dead letter is like that.")
    return [letter["id"] for letter in found]


def _tell(ids: Sequence[UUID], refused: dict[UUID, str], done: str) -> None:
    for letter_id in ids:
        console.print(f"{letter_id} {refused.get(letter_id, done)}.", markup=False)
    if refused:
        raise typer.Exit(1)


def _line(letter: dict[str, Any]) -> str:
    origin = f"{letter['topic']}/{letter['partition']}@{letter['kafka_offset']}"
    ended = f"  (dropped: {letter['note']})" if letter["dropped_at"] else ""
    again = "  (sent again)" if letter["replayed_at"] else ""
    when, tries = f"{letter['created_at']:%Y-%m-%d %H:%M:%S}", f"{letter['attempts']}x"
    return (
        f"{when}  {letter['service']:<11} {origin:<34} {letter['reason']:<14} {tries:>3}  {letter['id']}{again}{ended}"
    )


def _wanted(reason: str | None, topic: str | None, older: str | None, newer: str | None, *, waiting: bool) -> "Wanted":
    from fenta.chassis.dead_letters import REASONS, Wanted
    from fenta.contracts.topics import TOPICS

    if reason is not None and reason not in REASONS:
        raise fail(f"There is no reason {reason}. There are: {', '.join(REASONS)}.")
    if topic is not None and topic not in TOPICS:
        raise fail(f"There is no topic {topic}. docs/events.md lists them.")
    return Wanted(
        reason=reason,
        topic=topic,
        older_than_seconds=_seconds(older),
        newer_than_seconds=_seconds(newer),
        waiting=waiting,
    )


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise fail(f"{text} is not a span of time. Write it like 90s, 15m, 2h or 3d.")
    return float(found[1]) * SECONDS[found[2]]


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
    from fenta.chassis.database import DATABASE_ERRORS

    _log_to_stderr()
    try:
        return asyncio.run(question)
    except (OSError, *DATABASE_ERRORS) as error:
        raise fail(f"The database does not answer: {str(error).splitlines()[0]}") from None


def _log_to_stderr() -> None:
    """What is done to a letter is a line of JSON as well, apart from what the command answers."""
    import sys

    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda: structlog.PrintLogger(sys.stderr),
    )


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        text = value.decode(errors="replace")
        try:
            return json.loads(text)
        except ValueError:
            return text
    return value if isinstance(value, (dict, int, str)) or value is None else str(value)
