"""What every provider offers, near or far: submit, poll, fetch, find, cancel; and errors that say what to do next."""

from pathlib import Path
from typing import ClassVar, Literal, Protocol

from fenta.contracts.events import Problem
from fenta.generation.providers.products import Product, Progress
from fenta.generation.providers.requests import Request

ErrorClass = Literal["transient", "provider", "unclear", "rejected", "invalid", "timeout", "internal"]


class ProviderError(Exception):
    """Something did not work. `code` is stable, the message a sentence for people, the hint what they may do.

    ProviderError
    ├── TransientFailure   nothing was sent or it may be sent again: same model, later
    ├── ProviderFailure    this provider cannot: the next model of the chain
    │   └── TaskUnknown    it has no such task (any more)
    ├── UnclearAnswer      sent, but no task id came back: reconcile, never send again
    ├── Rejected           refused for what it says
    ├── InvalidRequest     wrong parameters or input: repeating it is useless
    └── EngineBroken       our own engine died of it
    """

    class_: ClassVar[ErrorClass] = "provider"

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def problem(self) -> Problem:
        """The error as events carry it."""
        return Problem.model_validate(
            {"class": self.class_, "code": self.code, "message": self.message, "hint": self.hint}
        )


class TransientFailure(ProviderError):
    class_ = "transient"

    def __init__(self, code: str, message: str, hint: str | None = None, retry_after_seconds: float | None = None):
        super().__init__(code, message, hint)
        self.retry_after_seconds = retry_after_seconds


class ProviderFailure(ProviderError):
    class_ = "provider"


class TaskUnknown(ProviderFailure):
    def __init__(self, task_id: str) -> None:
        super().__init__("task_unknown", f"The provider does not know the task {task_id}.")


class UnclearAnswer(ProviderError):
    class_ = "unclear"


class Rejected(ProviderError):
    class_ = "rejected"


class InvalidRequest(ProviderError):
    class_ = "invalid"


class EngineBroken(ProviderError):
    class_ = "internal"


_BY_CLASS: dict[str, type[ProviderError]] = {
    kind.class_: kind
    for kind in (TransientFailure, ProviderFailure, UnclearAnswer, Rejected, InvalidRequest, EngineBroken)
}


def error_of(problem: Problem) -> ProviderError:
    """The exception that a stored or reported problem stands for."""
    return _BY_CLASS.get(problem.class_, ProviderFailure)(problem.code, problem.message, problem.hint)


class Provider(Protocol):
    """One provider. Submitting may cost money and is never repeated blindly; the rest may be repeated freely."""

    name: str
    # Whether `find` knows every call that was ever accepted, so that "none" means that nothing was sent. Such
    # a provider must also answer a call with the same key and model by the same task: who found nothing sends, and a
    # worker that stood still between its intent and its call sends too when it goes on.
    finds_all: bool

    async def submit(self, request: Request, *, key: str) -> str:
        """Send a request; the answer is the provider's task id. `key` is the step's id and travels along.

        Raises TransientFailure when nothing was accepted, UnclearAnswer when nobody knows, InvalidRequest, Rejected.
        """
        ...

    async def poll(self, task_id: str) -> Progress:
        """How the task stands. Raises TaskUnknown, TransientFailure."""
        ...

    async def fetch(self, task_id: str, folder: Path) -> Product:
        """Copy a finished task's files into `folder`. Raises TaskUnknown, TransientFailure, ProviderFailure."""
        ...

    async def find(self, key: str) -> str | None:
        """The id of the newest task that was accepted under this key, if any."""
        ...

    async def cancel(self, task_id: str) -> None:
        """Stop the task if that is still possible; a finished or unknown one is left alone."""
        ...
