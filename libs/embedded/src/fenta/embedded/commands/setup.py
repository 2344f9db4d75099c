"""migrate and topics: preparing databases and clusters, on one machine or in production."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from .console import console, fail, failing_plainly

topics = typer.Typer(help="The topics of the one topic table, in a cluster.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)
    app.add_typer(topics, name="topics")


def migrate(
    passwords_file: Annotated[
        Path | None,
        typer.Option(envvar="DATABASE_PASSWORDS_FILE", help="JSON: a password per service; made up if left out."),
    ] = None,
) -> None:
    """Bring the schemas of all services to their newest state in the database of $DATABASE_URL.

    Without DATABASE_URL the embedded PostgreSQL is started for it, so the stack must not be running.
    """
    from fenta.embedded.home import Home
    from fenta.embedded.migrate import migrate_all
    from fenta.embedded.postgres import PostgresUnavailable
    from fenta.embedded.processes import AlreadyRunning

    home = Home()
    passwords = json.loads(passwords_file.read_text()) if passwords_file else home.secrets["database_passwords"]
    with failing_plainly(AlreadyRunning, PostgresUnavailable):
        if url := os.environ.get("DATABASE_URL"):
            migrate_all(url, passwords)
        else:
            _migrate_embedded(home.path, passwords)
    console.print("All schemas are at their newest state.")


def _migrate_embedded(folder: Path, passwords: dict[str, str]) -> None:
    from fenta.embedded.migrate import migrate_all
    from fenta.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(folder / "postgres", log=folder / "logs" / "postgres.log")
    server.log.parent.mkdir(parents=True, exist_ok=True)
    server.start()
    try:
        migrate_all(server.url, passwords)
    finally:
        server.stop()


@topics.command()
def apply() -> None:
    """Bring the cluster of $KAFKA_BOOTSTRAP_SERVERS to the topic table, and say what Kafka cannot change."""
    from fenta.embedded.topics import TopicsRefused, apply_all

    bootstrap = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not bootstrap:
        raise fail("KAFKA_BOOTSTRAP_SERVERS is not set; write host:port,host:port.")
    limit = os.environ.get("KAFKA_PARTITIONS_MAX")
    replication = int(os.environ.get("KAFKA_REPLICATION_FACTOR") or 3)
    with failing_plainly(TopicsRefused):
        applied = apply_all(bootstrap, partitions_max=int(limit) if limit else None, replication=replication)
    console.print(f"{len(applied.created)} topics created." if applied.created else "All topics are there.")
    for sentence in applied.changed:
        console.print(f"Changed: {sentence}.")
    for sentence in applied.impossible:
        console.print(f"[yellow]Not changed: {sentence}[/yellow]")
