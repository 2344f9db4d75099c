"""Errors that tell the caller what to do; at the HTTP border they become problem documents."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fenta.contracts.problems import PROBLEMS


class FentaError(Exception):
    """Anything of ours that goes wrong for a reason we can name."""


class TransientError(FentaError):
    """Trying later may help. `retry_after_seconds` says when, if that is known."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(TransientError):
    """A part is away, which is nobody's fault: it is tried again until it is back or the work is due."""


class PermanentError(FentaError):
    """Trying again will not help."""


class LeaseLost(FentaError):
    """The task belongs to another worker by now; whatever was done must not be written."""


@dataclass
class Finding:
    """One mistake in a request: where (a JSON pointer), which, in words, and what to do about it."""

    pointer: str
    code: str
    detail: str
    hint: str | None = None


@dataclass
class Problem(FentaError):
    """A refusal with a stable code; `code` must stand in `fenta.contracts.problems`."""

    code: str
    detail: str
    hint: str | None = None
    errors: Sequence[Finding] = ()
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(f"{self.code}: {self.detail}")

    @property
    def status(self) -> int:
        return PROBLEMS[self.code].status

    def document(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """The body of the answer, by RFC 9457."""
        body: dict[str, Any] = {
            "type": f"https://docs.fentaweb.com/errors/{self.code}",
            "title": PROBLEMS[self.code].title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            **self.extra,
        }
        if self.hint:
            body["hint"] = self.hint
        if self.errors:
            body["errors"] = [_said(finding) for finding in self.errors[:100]]
        return body


def _said(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in vars(finding).items() if value is not None}


class NotFound(Problem):
    """There is no such thing for this organisation, and it does not matter whether there is for another."""

    def __init__(self, what: str = "thing") -> None:
        super().__init__("not_found", f"There is no such {what}.")


class Conflict(Problem):
    """The thing is not in a state that allows this."""
