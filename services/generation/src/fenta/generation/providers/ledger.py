"""The local provider's own book of accepted calls: one line each, on disk before anybody is answered."""

import fcntl
import json
import os
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Call(BaseModel):
    """One call. With `repeats` it was not accepted anew, since that task has the same key and model already."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    key: str
    capability: str
    model: str
    accepted_at: AwareDatetime
    repeats: str | None = None


class Ledger:
    """Append only. Several processes may write to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tasks: dict[str, Call] = {}
        self._read_bytes = 0

    def append(self, call: Call) -> str:
        """Answers the task that now does the work: that of an earlier call with the same key and model, if any.

        A worker that stood still between its intent and its call asks a second time when it goes on.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            earlier = self._find(call.key)
            if earlier is not None and earlier.model == call.model:
                call = call.model_copy(update={"repeats": earlier.task_id})
            # A line torn by a crash was never answered; it must not swallow the next one.
            torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" * torn + call.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return call.repeats or call.task_id

    def calls(self) -> list[Call]:
        """Every accepted call, oldest first."""
        return [call for line in self._lines(0)[0] if (call := _call(line)) and call.repeats is None]

    def find(self, key: str) -> str | None:
        """The task of the newest call with this key."""
        call = self._find(key)
        return call.task_id if call else None

    def _find(self, key: str) -> Call | None:
        lines, self._read_bytes = self._lines(self._read_bytes)
        self._tasks |= {call.key: call for line in lines if (call := _call(line)) and call.repeats is None}
        return self._tasks.get(key)

    def _lines(self, start: int) -> tuple[list[bytes], int]:
        if not self._path.exists():
            return [], 0
        with self._path.open("rb") as file:
            file.seek(start)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        return text[:whole].splitlines(), start + whole


def _call(line: bytes) -> Call | None:
    try:
        return Call.model_validate(json.loads(line))
    except ValueError:
        return None
