"""The embedded PostgreSQL: first start, restarts, and everything a kill -9 can leave behind."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from fenta.embedded.postgres import EmbeddedPostgres, PostgresUnavailable
from fenta.embedded.processes import AlreadyRunning, free_port

SUPERVISOR = """
import json, sys, time
from pathlib import Path
from fenta.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1])).start()
print(json.dumps({"url": server.url, "pid": server.process.pid}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    yield server
    server.stop()


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def write_until_cut(url: str) -> int:
    """One committed row after the other until the server is gone; answers how many were acknowledged."""
    connection = await asyncpg.connect(url, ssl=False)
    await connection.execute("CREATE TABLE IF NOT EXISTS written (number int)")
    acknowledged = 0
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        while True:
            await connection.execute("INSERT INTO written VALUES (1)")
            acknowledged += 1
    connection.terminate()
    return acknowledged


async def test_it_speaks_tcp_with_a_password_and_sorts_the_same_everywhere(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.url, "SHOW fsync") == "on"
    assert await ask(postgres.url, "SHOW max_connections") == "200"
    assert await ask(postgres.url, "SELECT datlocprovider FROM pg_database WHERE datname = 'postgres'") == b"b"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(postgres.url.replace(postgres.password, "wrong"), "SELECT 1")


async def test_port_password_and_rows_are_kept_over_a_restart(postgres: EmbeddedPostgres) -> None:
    await ask(postgres.url, "CREATE TABLE kept AS SELECT 42 AS number")
    before = postgres.url
    postgres.stop()
    assert not postgres.alive()
    postgres.start()
    assert postgres.url == before
    assert await ask(postgres.url, "SELECT number FROM kept") == 42


async def test_a_killed_postmaster_loses_no_acknowledged_row(postgres: EmbeddedPostgres) -> None:
    assert postgres.process is not None
    writing = asyncio.create_task(write_until_cut(postgres.url))
    while await ask(postgres.url, "SELECT to_regclass('written')") is None:
        pass
    for _ in range(50):
        await ask(postgres.url, "INSERT INTO written VALUES (2)")
    postgres.process.kill()
    acknowledged = await writing
    postgres.process.wait()
    postgres.start()
    assert await ask(postgres.url, "SELECT count(*) FROM written WHERE number = 1") >= acknowledged
    assert await ask(postgres.url, "SELECT count(*) FROM written WHERE number = 2") == 50


async def test_a_stale_pid_file_that_names_a_stranger_harms_nobody(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    stranger = subprocess.Popen(["sleep", "600"])
    note = postgres.data / "postmaster.pid"
    note.write_text(f"{stranger.pid}\n{postgres.data}\n1\n{postgres.port}\n\n127.0.0.1\n\nready\n")
    try:
        postgres.start()
        assert await ask(postgres.url, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def supervised(folder: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_server_dies_with_its_supervisor(tmp_path: Path, eventually: Callable[..., None]) -> None:
    process, server = supervised(tmp_path / "postgres")
    end(process)
    eventually(lambda: not psutil.pid_exists(server["pid"]))


async def test_it_starts_after_everything_was_killed_at_once(tmp_path: Path) -> None:
    process, server = supervised(tmp_path / "postgres")
    await ask(server["url"], "CREATE TABLE kept AS SELECT 1 AS number")
    family = [psutil.Process(server["pid"]), *psutil.Process(server["pid"]).children(recursive=True)]
    for member in [psutil.Process(process.pid), *family]:
        with contextlib.suppress(psutil.NoSuchProcess):  # some die with the first
            member.kill()
    end(process)
    again = EmbeddedPostgres(tmp_path / "postgres").start()
    try:
        assert again.url == server["url"]
        assert await ask(again.url, "SELECT number FROM kept") == 1
    finally:
        again.stop()


def test_a_second_supervisor_is_refused_and_the_first_goes_on(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(AlreadyRunning, match="in use by another process"):
        EmbeddedPostgres(postgres.root).start()
    assert postgres.ready()


def test_a_taken_port_is_exchanged_for_a_free_one(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path / "first", port=free_port()).start()
    second = EmbeddedPostgres(tmp_path / "second", port=first.port)
    try:
        assert second.start().port != first.port
    finally:
        second.stop()
        first.stop()


def test_a_killed_initdb_leaves_nothing_half_made(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    server.stop()
    assert not unfinished.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")
def test_a_folder_of_another_mode_is_refused_with_a_sentence(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.stop()
    monkeypatch.setenv("FENTA_POSTGRES_SETUID", "1")
    with pytest.raises(PostgresUnavailable, match="cannot be used as 'setuid'"):
        EmbeddedPostgres(postgres.root).start()
