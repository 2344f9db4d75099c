"""How commands speak: one console, and a way to end with a sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def fail(sentence: str) -> typer.Exit:
    """To be raised: prints in red and makes the exit status 1."""
    console.print(f"[red]{sentence.replace('[', chr(92) + '[')}[/red]")
    return typer.Exit(1)


@contextmanager
def failing_plainly(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds carry a sentence for people."""
    try:
        yield
    except kinds as error:
        raise fail(str(error)) from None
