"""The local provider's own book of accepted calls: one line each, on disk before anybody is answered."""

import errno
import json
import os
import threading
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Call(BaseModel):
    model_config = ConfigDict(frozen=True)

    task_id: str
    key: str
    capability: str
    model: str
    accepted_at: AwareDatetime


class Ledger:
    """Append only. Several processes write to it and none waits for another, which may stand still in the middle.

    Of the calls with one key and model the first line counts, and the others repeat it: all read the same order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._accepted: dict[tuple[str, str], Call] = {}
        self._newest: dict[str, Call] = {}
        self._read_bytes = 0
        self._reading = threading.Lock()

    def append(self, call: Call) -> str:
        """Answers the task that now does the work: that of an earlier call with the same key and model, if any.

        A worker that stood still between its intent and its call asks a second time when it goes on.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        accepted = None
        while accepted is None:
            # Again, where the line of another process was torn just now and has swallowed ours.
            self._write(call)
            self._read_on()
            accepted = self._accepted.get((call.key, call.model))
        return accepted.task_id

    def calls(self) -> list[Call]:
        """Every accepted call, oldest first."""
        self._read_on()
        return list(self._accepted.values())

    def find(self, key: str) -> str | None:
        """The task of the newest call with this key."""
        self._read_on()
        call = self._newest.get(key)
        return call.task_id if call else None

    def _write(self, call: Call) -> None:
        """In one piece, as the system appends it. After a line that a crash has torn, on a line of its own."""
        with self._path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            line = b"\n" * torn + call.model_dump_json().encode() + b"\n"
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())

    def _read_on(self) -> None:
        """What has been written since, by whomever."""
        with self._reading:
            for line in self._new_lines():
                call = _call(line)
                if call is not None and (call.key, call.model) not in self._accepted:
                    self._accepted[call.key, call.model] = self._newest[call.key] = call

    def _new_lines(self) -> list[bytes]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read_bytes += whole
        return text[:whole].splitlines()


def _call(line: bytes) -> Call | None:
    try:
        return Call.model_validate(json.loads(line))
    except ValueError:
        return None
