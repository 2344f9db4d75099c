"""Ctrl-C and its relatives: the first one begins to stop."""

import signal
import threading
from typing import Any


def stop_on_signals() -> threading.Event:
    """Raises KeyboardInterrupt at the first signal, whatever is going on; later ones are not needed.

    The event is set then, or by the caller that stops for another reason and wants no interruption.
    """
    over = threading.Event()

    def on_signal(number: int, frame: Any) -> None:
        if not over.is_set():
            over.set()
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    return over
