"""What a piece of work takes: CPU time of this process and of all that it started, and memory of single processes."""

import resource
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil

EVERY_SECONDS = 0.05


def cpu(work: Callable[..., object], *given: Any, **named: Any) -> float:
    """Seconds, user and system, of the whole tree; its processes have ended."""
    before = _used()
    work(*given, **named)
    return _used() - before


def _used() -> float:
    spans = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(span.ru_utime + span.ru_stime for span in spans)


def ratios(values: Sequence[float], floors: Sequence[float]) -> list[float]:
    return [value / floor for value, floor in zip(values, floors, strict=True)]


class Peak:
    """The most that one worker has held together with its encoder, in MiB."""

    mib = 0.0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watches the workers that this process starts while it lasts."""
    peak, over = Peak(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, over))
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _watch(peak: Peak, over: threading.Event) -> None:
    while not over.wait(EVERY_SECONDS):
        for worker in psutil.Process().children():
            peak.mib = max(peak.mib, _held(worker) / (1 << 20))


def _held(worker: psutil.Process) -> int:
    held = 0
    with suppress(psutil.Error):
        for process in (worker, *worker.children(recursive=True)):
            held += process.memory_info().rss
    return held
