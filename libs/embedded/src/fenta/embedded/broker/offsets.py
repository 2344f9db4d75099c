"""Committed offsets of all groups: a file of JSON lines, the last line of a partition counting, compacted at times."""

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from fenta.embedded.processes import write_atomically

# The file is rewritten when it has this many times the lines it needs, and at least the second number of them.
SUPERFLUOUS_RATIO = 4
FEWEST_LINES = 10_000


class Position(NamedTuple):
    """Whose position in what."""

    group: str
    topic: str
    partition: int


class Committed(NamedTuple):
    """The next offset to read, and the client's own note."""

    offset: int
    metadata: str | None


class Offsets:
    """All commits; a commit is acknowledged after its line is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.committed = dict(_read(path))
        self.dirty = False
        self._compact()

    def commit(self, commits: Mapping[Position, Committed]) -> None:
        self.committed.update(commits)
        self._file.write(b"".join(_line(*commit) for commit in commits.items()))
        self.dirty = True
        self._lines += len(commits)
        if self._lines > max(FEWEST_LINES, SUPERFLUOUS_RATIO * len(self.committed)):
            self._file.close()
            self._compact()

    def of_group(self, group: str) -> dict[tuple[str, int], Committed]:
        return {(key.topic, key.partition): value for key, value in self.committed.items() if key.group == group}

    def groups(self) -> set[str]:
        return {position.group for position in self.committed}

    def forget(self, *, group: str | None = None, topic: str | None = None) -> None:
        """Drops a deleted group's or topic's positions, so that a new one of that name starts afresh."""
        self.forget_positions([key for key in self.committed if key.group == group or key.topic == topic])

    def forget_positions(self, gone: Collection[Position]) -> None:
        for key in gone:
            del self.committed[key]
        if gone:
            self._file.close()
            self._compact()

    def _compact(self) -> None:
        write_atomically(self.path, b"".join(_line(*commit) for commit in self.committed.items()).decode())
        self._file = self.path.open("ab", buffering=0)
        self._lines = len(self.committed)

    def sync(self) -> None:
        if self.dirty:
            self.dirty = False
            with contextlib.suppress(ValueError):  # just replaced by its compacted, synced successor
                os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _line(position: Position, committed: Committed) -> bytes:
    return json.dumps([*position, *committed]).encode() + b"\n"


def _read(path: Path) -> Iterable[tuple[Position, Committed]]:
    """Stops at a line that a crash cut short: nothing after it was acknowledged."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            group, topic, partition, offset, metadata = json.loads(line)
        except ValueError:
            return
        yield Position(group, topic, partition), Committed(offset, metadata)
