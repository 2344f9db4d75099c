"""The helper process: one job a line, done by the engine it names, answered by one line; it ends with its parent."""

import ctypes
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from fenta.generation.engines.inspection import inspected
from fenta.generation.providers import EngineBroken, InvalidRequest, ProviderError
from fenta.generation.providers.products import MadeFile
from fenta.generation.providers.requests import request_of

# Engines load when they are first needed: a writer must not wait for the painter's libraries.
ENGINES = {
    "script": "fenta.generation.engines.writer",
    "storyboard": "fenta.generation.engines.storyboard",
    "speech": "fenta.generation.engines.speech",
    "image": "fenta.generation.engines.pictures",
    "music": "fenta.generation.engines.music",
}
_PARENT_DEATH_SIGNAL = 1


def main() -> None:
    die_with_parent(os.getppid())
    answers = _private_output()
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line))), file=answers, flush=True)


def die_with_parent(parent: int) -> None:
    """Where the kernel offers it; elsewhere the end of the input ends the process, between two jobs."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _private_output() -> IO[str]:
    """The answers keep the output to themselves: what libraries print goes to the log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def answered(job: dict[str, Any]) -> dict[str, Any]:
    """`{"result": …}` or `{"problem": …}`."""
    try:
        return {"result": _done(job)}
    except ProviderError as error:
        return {"problem": error.problem().model_dump(by_alias=True)}
    except ValidationError as error:
        return {"problem": _invalid(error).problem().model_dump(by_alias=True)}
    except Exception as error:  # the helper must answer, whatever an engine raises
        problem = EngineBroken("engine_failed", f"The engine failed: {type(error).__name__}: {str(error)[:300]}")
        return {"problem": problem.problem().model_dump(by_alias=True)}


def _done(job: dict[str, Any]) -> dict[str, Any]:
    if job["do"] == "listen":
        return _heard(job)
    folder = Path(job["folder"])
    if job["do"] == "inspect":
        file = MadeFile.model_validate(job["file"])
        return inspected(folder / file.name, file).model_dump()
    request = request_of(job["request"])
    folder.mkdir(parents=True, exist_ok=True)
    product = importlib.import_module(ENGINES[request.kind]).make(request, folder)
    made: dict[str, Any] = product.model_dump(mode="json")
    return made


def _heard(job: dict[str, Any]) -> dict[str, Any]:
    # Like an engine, loaded when it is first needed.
    from fenta.generation.engines.listening import listen  # noqa: PLC0415

    recogniser = Path(job["recogniser"]) if job["recogniser"] else None
    return listen(Path(job["path"]), job["text"], job["language"], recogniser).model_dump(mode="json")


def _invalid(error: ValidationError) -> InvalidRequest:
    first = error.errors(include_url=False, include_context=False)[0]
    return InvalidRequest("request_invalid", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


if __name__ == "__main__":
    main()
