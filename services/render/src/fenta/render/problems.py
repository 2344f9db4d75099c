"""What went wrong, in the words of a `step.failed`: its class, code, sentence and hint."""

from typing import Literal

from pydantic import ValidationError

from fenta.chassis.errors import Problem as Refusal
from fenta.chassis.errors import TransientError
from fenta.contracts.events import Mistake, Problem
from fenta.render.errors import (
    CheckFailed,
    PartFailed,
    RenderInterrupted,
    RenderRefused,
    TimelineRefused,
    TookTooLong,
)

# Whoever has made more of them at once does not read them all.
MOST_MISTAKES = 100


def problem_of(error: BaseException, step_key: str) -> Problem:
    """Never shows the text of an error that was not written for people."""
    if isinstance(error, PartFailed):
        return error.problem
    if isinstance(error, RenderRefused | RenderInterrupted):
        seen = list(error.evidence) if isinstance(error, CheckFailed) else []
        return Problem(
            class_=_class_of(error),
            code=error.code,
            message=error.message,
            hint=error.hint,
            step_key=step_key,
            evidence=seen,
            errors=_mistakes(error),
        )
    found = next(problem for kinds, problem in _OTHERS if isinstance(error, kinds) and _fits(error, problem))
    return found.model_copy(update={"step_key": step_key})


def _mistakes(error: BaseException) -> list[Mistake] | None:
    if not isinstance(error, TimelineRefused):
        return None
    return [
        Mistake(pointer=f"#{fault.pointer}", code=fault.code, detail=fault.message, hint=fault.hint)
        for fault in error.faults[:MOST_MISTAKES]
    ]


def cancelled(reason: str, step_key: str) -> Problem:
    message = f"The render was stopped: {reason}."
    return Problem(class_="cancelled", code="cancelled", message=message, step_key=step_key)


def _class_of(error: RenderRefused | RenderInterrupted) -> Literal["internal", "invalid", "transient"]:
    if isinstance(error, CheckFailed):
        return "internal"
    return "invalid" if isinstance(error, RenderRefused) else "transient"


def _fits(error: BaseException, problem: Problem) -> bool:
    missing = isinstance(error, Refusal) and error.code == "not_found"
    return missing or problem.code != "asset_not_found"


# The first kind that fits speaks; what nobody expected says nothing of itself.
_OTHERS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Problem], ...] = (
    (
        TookTooLong,
        Problem(
            class_="timeout",
            code="timeout",
            message="The render took longer than it may.",
            hint="Make the film shorter.",
        ),
    ),
    (
        Refusal,
        Problem(
            class_="invalid",
            code="asset_not_found",
            message="A file of the film is not there any more.",
            hint="Make it again.",
        ),
    ),
    (
        ValidationError,
        Problem(class_="invalid", code="input_invalid", message="An input of the step is not what its type says."),
    ),
    (
        (TransientError, OSError),
        Problem(
            class_="transient",
            code="service_unavailable",
            message="A part that rendering needs is away.",
            hint="Try again later.",
        ),
    ),
    (
        BaseException,
        Problem(
            class_="internal",
            code="internal_error",
            message="Something went wrong on our side; it was logged.",
        ),
    ),
)
