"""Named places where a process may die; armed by the environment of a spawned process, never otherwise."""

import os
import signal
from pathlib import Path

_ARMED = os.environ.get("FENTA_CRASH_POINT")
_ONCE = os.environ.get("FENTA_CRASH_ONCE")


def crash_point(name: str) -> None:
    """Kill this process here if a test asked for it; `FENTA_CRASH_ONCE` names a file that makes it happen once."""
    if name != _ARMED or (_ONCE and Path(_ONCE).exists()):
        return
    if _ONCE:
        Path(_ONCE).touch()
    os.kill(os.getpid(), signal.SIGKILL)
