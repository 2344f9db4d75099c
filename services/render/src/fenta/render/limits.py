"""What a process that opens other people's files may use up: the kernel ends what takes more."""

from contextlib import suppress
from dataclasses import dataclass

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]


LAST_SECONDS = 10


@dataclass(frozen=True)
class Limits:
    """Processor time, memory that is its own, and the size of any file that it writes. No core is ever dumped."""

    cpu_seconds: int
    memory_bytes: int
    file_bytes: int

    def impose(self) -> None:
        """On this process and all that it starts; nobody takes them back."""
        if resource is None:
            return
        # By address space a card's driver would be out of bounds from the start.
        wanted = (
            (resource.RLIMIT_CPU, self.cpu_seconds),
            (resource.RLIMIT_DATA, self.memory_bytes),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_CORE, 0),
        )
        for kind, most in wanted:
            _, hard = resource.getrlimit(kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            # Who is over its time is told so by a signal of its own, and killed only when that does not help.
            last = _last(least, hard) if kind == resource.RLIMIT_CPU else least
            # Where the system knows of no such limit, the step's own time is the bound.
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (least, last))


def _last(seconds: int, hard: int) -> int:
    later = seconds + LAST_SECONDS
    return later if hard == resource.RLIM_INFINITY else min(later, hard)


# A worker lives for one film. A decoder for a few seconds of one: it writes to a pipe, and some words to a log.
WORKER = Limits(cpu_seconds=4 * 3600, memory_bytes=8 << 30, file_bytes=16 << 30)
ENCODING = Limits(cpu_seconds=2 * 3600, memory_bytes=8 << 30, file_bytes=16 << 30)
DECODING = Limits(cpu_seconds=600, memory_bytes=3 << 30, file_bytes=16 << 20)
