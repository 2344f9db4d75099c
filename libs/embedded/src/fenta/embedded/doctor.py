"""Looks at everything a stack needs and says what to do where something is missing."""

import contextlib
import importlib.util
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import psutil

from fenta.contracts.topics import SERVICES

from .environment import admin
from .home import Home
from .postgres import PostgresUnavailable, choose_mode, readable_binaries
from .processes import is_free
from .supervisor import readiness, running_supervisor

OLDEST_GLIBC = (2, 28)
LITTLE_DISK_BYTES = 2 << 30
NO_DISK_BYTES = 300 << 20
FEWEST_FILES = 1024


class Health(StrEnum):
    """Well; may do, with a loss; will not do."""

    WELL = "well"
    WEAK = "weak"
    ILL = "ill"


class Finding(NamedTuple):
    """One sentence on one part; `advice` says what to do about it."""

    part: str
    health: Health
    sentence: str
    advice: str = ""


def examine(home: Home) -> Iterator[Finding]:
    """Everything, the machine first, the running parts last."""
    for look in (_python, _libc, _root, _postgres, _ffmpeg, _fonts, _speech, _files):
        yield _safely(look)
    yield _folder(home)
    yield _disk(home)
    running = running_supervisor(home) is not None
    yield from _ports(home, running=running)
    if running:
        yield from _services(home)


def _safely(look: Callable[[], Finding]) -> Finding:
    """A check that itself fails is a finding, too."""
    try:
        return look()
    except Exception as error:
        return Finding(look.__name__.strip("_"), Health.ILL, f"cannot be looked at: {error}")


def _python() -> Finding:
    return Finding("python", Health.WELL, f"Python {platform.python_version()} on {platform.machine()} {sys.platform}.")


def _libc() -> Finding:
    name, version = platform.libc_ver()
    if sys.platform != "linux":
        return Finding("libc", Health.WELL, "Not a matter on this system.")
    if name != "glibc":
        sentence = "This system uses musl, for which PostgreSQL and ffmpeg come in no wheel."
        return Finding(
            "libc", Health.ILL, sentence, "Use Debian, Ubuntu or Fedora, or set DATABASE_URL and FFMPEG_PATH."
        )
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        return Finding("libc", Health.ILL, f"glibc {version} is older than 2.28.", "Use a system from 2019 or later.")
    return Finding("libc", Health.WELL, f"glibc {version}.")


def _root() -> Finding:
    mode = choose_mode().name
    sentences = {
        "plain": "You are not root, which is best.",
        "userns": "You are root; PostgreSQL runs in a user namespace of its own.",
        "setuid": "You are root and user namespaces are forbidden (a container?); PostgreSQL runs as nobody.",
    }
    advice = "If it does not start, run as another user, or set DATABASE_URL." if mode == "setuid" else ""
    return Finding("user", Health.WEAK if advice else Health.WELL, sentences[mode], advice)


def _postgres() -> Finding:
    try:
        program = readable_binaries(choose_mode()) / "bin" / "postgres"
    except PostgresUnavailable as error:
        return Finding(
            "postgres", Health.ILL, str(error), "Run `make setup`, or set DATABASE_URL to a server of yours."
        )
    return _runs("postgres", [str(program), "--version"], "Run `make setup`, or set DATABASE_URL.")


def _ffmpeg() -> Finding:
    given = os.environ.get("FFMPEG_PATH")
    advice = "Run `make setup`, or set FFMPEG_PATH to an ffmpeg with libass."
    if given:
        return _runs("ffmpeg", [given, "-version"], advice)
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return Finding("ffmpeg", Health.ILL, "The wheel imageio-ffmpeg is missing.", advice)
    import imageio_ffmpeg  # noqa: PLC0415

    return _runs("ffmpeg", [imageio_ffmpeg.get_ffmpeg_exe(), "-version"], advice)


def _runs(part: str, command: list[str], advice: str) -> Finding:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(part, Health.ILL, f"{command[0]} does not run: {error}", advice)
    return Finding(part, Health.WELL, answer.stdout.splitlines()[0])


def _fonts() -> Finding:
    spec = importlib.util.find_spec("fenta.render")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    fonts = [path for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc")]
    if not fonts:
        advice = "Check out the repository completely; the fonts belong to services/render."
        return Finding("fonts", Health.ILL, "No fonts: captions would be invisible.", advice)
    return Finding("fonts", Health.WELL, f"{len(fonts)} fonts for captions.")


def _speech() -> Finding:
    if importlib.util.find_spec("espeakng_loader") is None:
        return Finding("speech", Health.WEAK, "espeak-ng is missing.", "Run `make setup`, or set a provider key.")
    return Finding("speech", Health.WELL, "espeak-ng is there.")


def _files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= hard < FEWEST_FILES:
        return Finding("files", Health.WEAK, f"Only {hard} open files are allowed.", "Raise it: ulimit -Hn 4096.")
    return Finding("files", Health.WELL, "Enough open files are allowed.")


def _folder(home: Home) -> Finding:
    place = next(path for path in (home.path, *home.path.parents) if path.exists())
    if not os.access(place, os.W_OK):
        return Finding("folder", Health.ILL, f"{place} cannot be written.", "Set FENTA_HOME to a folder of yours.")
    return Finding("folder", Health.WELL, f"State is in {home.path}.")


def _disk(home: Home) -> Finding:
    place = next(path for path in (home.path, *home.path.parents) if path.exists())
    free = shutil.disk_usage(place).free
    health = Health.ILL if free < NO_DISK_BYTES else Health.WEAK if free < LITTLE_DISK_BYTES else Health.WELL
    advice = "" if health is Health.WELL else "Make room, or set FENTA_HOME to another disk; `fenta reset` frees ours."
    return Finding("disk", health, f"{free / (1 << 30):.1f} GiB free in {place}.", advice)


def _ports(home: Home, *, running: bool) -> Iterator[Finding]:
    """While our own parts listen there, a busy port is what it should be."""
    busy = {} if running else {name: port for name, port in home.kept_ports().items() if not is_free(port)}
    for name, port in busy.items():
        advice = "Stop that program, or live with another port at the next start."
        yield Finding("port", Health.WEAK, f"{port} of {name} is taken by {_owner(port)}.", advice)
    if not busy:
        yield Finding("ports", Health.WELL, "All are ours." if running else "All are free.")


def _owner(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"


def _services(home: Home) -> Iterator[Finding]:
    ports = home.kept_ports()
    for service in home.state().get("restarts", {}):
        if service in SERVICES:
            yield _service(home, service, ports[admin(service)])


def _service(home: Home, service: str, port: int) -> Finding:
    status, body = readiness(port)
    if status == 200:
        return Finding(service, Health.WELL, "Ready.")
    advice = f"See `fenta logs {service}`."
    if not status:
        return Finding(service, Health.ILL, f"Nobody answers on port {port}.", advice)
    return Finding(service, Health.ILL, _sentences(body) or f"/readyz answers {status}.", advice)


def _sentences(body: str) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        checks = json.loads(body).get("checks", {})
        return " ".join(f"{name}: {check['sentence']}" for name, check in checks.items() if check["status"] != "ok")
    return ""
