"""What can go wrong with a render, each with a code, a sentence for people and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fenta.chassis.errors import PermanentError, TransientError
from fenta.contracts.events import Evidence, Problem


class RenderRefused(PermanentError):
    """This timeline with these sources will never become a video; the same request must not be tried again."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class RenderInterrupted(TransientError):
    """The machine, not the request, is at fault: a full disk, a killed ffmpeg. Another try may succeed."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class PartFailed(PermanentError):
    """A segment was given up by whoever had it; its tries are over, so those of the render are."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class TookTooLong(PermanentError):
    """The step's time is over; a second try would not be quicker."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a timeline or a finished file.

    `pointer` is its place in the document, a JSON pointer (RFC 6901); `hint` is what to do about it; `frame` is one in
    which it can be seen.
    """

    code: str
    message: str
    pointer: str = ""
    hint: str | None = None
    frame: int | None = None


class TimelineRefused(RenderRefused):
    """The timeline breaks rules; `faults` has every one of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].code, _sentences(faults), "Correct the timeline and render it again.")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Sight:
    """A frame of a film that failed its checks, as a picture: which fault can be seen in it, and when."""

    code: str
    aspect: str
    at_ms: int
    picture: Path


# What a disk or a copy may have lost on the way. What was composed wrongly will be composed wrongly again.
PASSING = frozenset({"duration_wrong", "frames_missing", "stream_missing", "file_size_wrong"})


class CheckFailed(RenderRefused):
    """Files were made, but they are not what was asked for, so nobody gets to see them or to pay for them.

    `sights` are pictures of what is wrong, and `evidence` names them once they are stored.
    """

    def __init__(self, faults: Sequence[Fault], sights: Sequence[Sight] = ()) -> None:
        super().__init__(faults[0].code, _sentences(faults), "The render was not billed; look at its sources.")
        self.faults, self.sights = tuple(faults), tuple(sights)
        self.evidence: tuple[Evidence, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Whether another try may come out well."""
        return all(fault.code in PASSING for fault in self.faults)


def _sentences(faults: Sequence[Fault]) -> str:
    return " ".join(fault.message for fault in faults)
