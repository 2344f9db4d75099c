"""Child programs: where ffmpeg is, and children that never outlive the process that started them."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import IO

from fenta.render.errors import RenderInterrupted
from fenta.render.limits import ENCODING, Limits

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: a child between fork and exec should do as little as possible.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_DISK_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_NO_MEMORY = ("Cannot allocate memory", "malloc of size", "Out of memory")
# Where programs, libraries and temporary files are, how people write, and what tests and coverage ask for.
_HARMLESS = (
    "PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHON", "VIRTUAL_ENV", "FFMPEG_PATH",
    "FENTA_CRASH_POINTS", "COVERAGE_", "OPENCV_", "SYSTEMROOT",
)  # fmt: skip
_OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@cache
def ffmpeg_path() -> str:
    """`FFMPEG_PATH` when it is set, else the binary of the imageio-ffmpeg wheel."""
    if given := os.environ.get("FFMPEG_PATH"):
        return given
    import imageio_ffmpeg  # noqa: PLC0415 - scanning for its binary is not needed when the path is given

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def ffmpeg_version() -> str:
    """The first line that it says of itself. Raises RenderInterrupted when it cannot even do that."""
    child = start(["-version"], folder=Path.cwd(), stdout=subprocess.PIPE)
    told, errors = child.communicate()
    if child.returncode:
        raise failure(child.returncode, errors.decode(errors="replace"))
    return told.decode(errors="replace").partition("\n")[0]


def die_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it. Only Linux can."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _bind(limits: Limits) -> None:
    die_with_parent()
    limits.impose()


def harmless_environment() -> dict[str, str]:
    """What a program needs that opens other people's files: no credentials, no addresses."""
    return {name: value for name, value in os.environ.items() if name.startswith(_HARMLESS)}


def start(
    arguments: Sequence[str],
    *,
    folder: Path,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    environment: dict[str, str] | None = None,
    limits: Limits = ENCODING,
) -> subprocess.Popen[bytes]:
    """Start ffmpeg in `folder`, to which the file names in the arguments are relative."""
    return subprocess.Popen(
        [ffmpeg_path(), *arguments],
        cwd=folder,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=harmless_environment() | (environment or {}),
        preexec_fn=partial(_bind, limits),  # noqa: PLW1509 - a worker has one thread when it starts ffmpeg
    )


def run(arguments: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run ffmpeg to its end and return what it reported. Raises RenderInterrupted when it fails."""
    child = start(arguments, folder=folder, environment=environment)
    _, errors = child.communicate()
    report = errors.decode(errors="replace")
    if child.returncode:
        raise failure(child.returncode, report)
    return report


def failure(code: int, report: str) -> RenderInterrupted:
    """What a dead ffmpeg means. One that is over its limit is told so by a signal, and has no time for a word."""
    if code == -signal.SIGXFSZ or any(sentence in report for sentence in _DISK_FULL):
        return disk_full()
    if code == -signal.SIGKILL or any(sentence in report for sentence in _NO_MEMORY):
        return out_of_memory()
    last = report.strip().splitlines()[-1:] or [f"exit code {code}"]
    return RenderInterrupted("encoder_failed", f"ffmpeg ended early: {last[0][:300]}")


def out_of_memory() -> RenderInterrupted:
    return RenderInterrupted("out_of_memory", "The render ended for want of memory.", "Free some memory.")


def disk_full() -> RenderInterrupted:
    return RenderInterrupted("disk_full", "There is no room left for the render's files.", "Free some disk space.")


def is_out_of_room(error: BaseException) -> bool:
    """Whether this is about a disk that is full or a quota that is used up, or was caused by one."""
    if isinstance(error, OSError) and error.errno in _OUT_OF_ROOM:
        return True
    return error.__cause__ is not None and is_out_of_room(error.__cause__)
