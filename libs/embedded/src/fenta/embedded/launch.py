"""Becomes another program that dies with its parent: `python -I -S launch.py '{"parent": PID}' program arguments`."""

# Run by path in an isolated interpreter, so it may import the standard library only. Doing this here, instead of in
# Popen's preexec_fn, keeps the parent free to have threads.

import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
EXIT_CANNOT_LAUNCH = 125


def enter_user_namespace() -> None:
    """Afterwards this process is nobody to programs that look at their user id, yet still owns root's files."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "this machine forbids user namespaces")


def become(user: int, group: int) -> None:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def die_with_parent(parent: int, signal_number: int) -> None:
    """Linux only. The flag follows the *thread* that started us; changing the user id clears it, so it comes last."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit(EXIT_CANNOT_LAUNCH)


def main(options: Mapping[str, Any], command: list[str]) -> None:
    if options.get("user_namespace"):
        enter_user_namespace()
    if "user" in options:
        become(options["user"], options["group"])
    die_with_parent(options["parent"], options.get("signal", signal.SIGTERM))
    os.execv(command[0], command)  # noqa: S606  becoming the program is the purpose


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
