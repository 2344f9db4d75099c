"""Starting programs that cannot outlive us, ending them, and the ports and locks they need."""

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import psutil

HOST = "127.0.0.1"
LAUNCHER = Path(__file__).with_name("launch.py")
# Below the range from which systems take ports for outgoing connections, so that a kept port stays free.
KEPT_PORTS = range(20000, 32000)


class AlreadyRunning(Exception):
    """Another process holds this folder."""


class NotReady(Exception):
    """A part did not come up in time; the message says where to look."""


def launch(
    command: list[str],
    *,
    output: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Starts `command` so that it ends when the calling thread does; `options` are those of `launch.py`."""
    chosen = json.dumps({"parent": os.getpid(), **options})
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCHER), chosen, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output != subprocess.DEVNULL else subprocess.DEVNULL,
        env=None if environment is None else dict(environment),
        cwd=folder,
        # Ctrl-C in the terminal must reach the supervisor alone, which then stops its children in order.
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes], *, first: int = signal.SIGTERM, grace_seconds: float = 10) -> int:
    """Asks, waits, then insists; answers the exit status."""
    if process.poll() is None:
        process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(grace_seconds)
        process.kill()
    return process.wait()


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.02) -> bool:
    """Polls until the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def is_free(port: int) -> bool:
    """Whether a server could listen there now; addresses in TIME_WAIT do not count as taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return True
    return False


def free_port(taken: set[int] | None = None) -> int:
    """A port that is free now and that nobody is handed by chance later."""
    # Chance of its own: processes whose `random` has the same seed would all ask for the same port.
    for port in random.SystemRandom().sample(KEPT_PORTS, len(KEPT_PORTS)):
        if port not in (taken or set()) and is_free(port):
            return port
    raise NotReady("No port between 20000 and 32000 is free on 127.0.0.1.")


def lock_folder(path: Path) -> IO[str]:
    """Holds `path` for this process; the kernel lets go when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.open("a+")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder.close()
        raise AlreadyRunning(f"{path.parent} is in use by another process; stop it first.") from error
    return holder


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """After this, `path` holds either all of the old text or all of the new, even after a crash."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def raise_file_limit() -> None:
    """A log per partition is a file; the usual soft limit of 1024 is too low."""
    import resource  # noqa: PLC0415  absent on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def same_process(pid: int, created: float) -> psutil.Process | None:
    """The living process that is meant, not a stranger who got its number later."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 1:
            return process
    return None
