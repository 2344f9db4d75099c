"""The local provider's own book of accepted calls: one line each, on disk before anybody is answered."""

import fcntl
import json
import os
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Call(BaseModel):
    """One accepted call. Two lines with one key mean that somebody asked twice."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    key: str
    capability: str
    model: str
    accepted_at: AwareDatetime


class Ledger:
    """Append only. Several processes may write to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tasks: dict[str, str] = {}
        self._read_bytes = 0

    def append(self, call: Call) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A line torn by a crash was never answered; it must not swallow the next one.
            torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" * torn + call.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def calls(self) -> list[Call]:
        """Every accepted call, oldest first."""
        return [call for line in self._lines(0)[0] if (call := _call(line))]

    def find(self, key: str) -> str | None:
        """The task of the newest call with this key."""
        lines, self._read_bytes = self._lines(self._read_bytes)
        self._tasks |= {call.key: call.task_id for line in lines if (call := _call(line))}
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
