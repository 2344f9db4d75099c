"""doctor: is everything well, and if not, what to do."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

import typer

from .console import console

COLOURS = {"well": "green", "weak": "yellow", "ill": "red"}


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor() -> None:
    """Say of every part whether it is well and what to do if not. Exit status 1 if something is ill."""
    from rich.table import Table

    from fenta.embedded.doctor import Health, examine
    from fenta.embedded.home import Home

    table = Table(box=None, show_header=False)
    findings = list(examine(Home()))
    for finding in findings:
        colour = COLOURS[finding.health]
        table.add_row(f"[{colour}]{finding.health}[/{colour}]", finding.part, finding.sentence)
        if finding.advice:
            table.add_row("", "", f"→ {finding.advice}")
    console.print(table)
    if any(finding.health is Health.ILL for finding in findings):
        raise typer.Exit(1)
