"""Everything the broker knows, and what it does from time to time."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fenta.embedded.processes import lock_folder, write_atomically

from .errors import Code, Refused
from .groups import Group
from .log import Log
from .offsets import Offsets
from .settings import Fsync
from .topics import Topic, Topics

# Producer ids are reserved on disk in blocks, so that handing one out costs no write.
RESERVED_IDS = 1000


@dataclass(frozen=True)
class BrokerSettings:
    """How this broker behaves; addresses are fixed when it starts to listen."""

    fsync: Fsync = Fsync.NEVER
    fsync_seconds: float = 1.0
    auto_create_topics: bool = False
    default_partitions: int = 3
    longest_frame_bytes: int = 64 << 20
    housekeeping_seconds: float = 30.0
    # As Kafka's connections.max.idle.ms: whoever vanished without a word does not hold a connection for ever.
    silence_seconds: float = 600.0


class State:
    """Topics, groups, offsets, producer ids."""

    def __init__(self, root: Path, settings: BrokerSettings) -> None:
        self.root = root
        self.settings = settings
        self._lock: IO[str] = lock_folder(root / "broker.lock")
        self.topics = Topics(root / "topics")
        self.offsets = Offsets(root / "offsets.jsonl")
        self.groups: dict[str, Group] = {}
        self._next_producer = self._reserved_producers = self._highest_producer() + 1

    def _highest_producer(self) -> int:
        note = self.root / "producer_ids"
        reserved = int(note.read_text()) if note.exists() else 0
        return max([reserved, *(known for log in self.topics.logs() for known in log.producers.known)])

    def new_producer_id(self) -> int:
        if self._next_producer >= self._reserved_producers:
            self._reserved_producers = self._next_producer + RESERVED_IDS
            write_atomically(self.root / "producer_ids", str(self._reserved_producers))
        self._next_producer += 1
        return self._next_producer - 1

    def group(self, name: str) -> Group:
        """Known or new; a group begins to exist when somebody joins it."""
        if not name:
            raise Refused(Code.INVALID_GROUP_ID)
        return self.groups.setdefault(name, Group(name))

    def existing_group(self, name: str) -> Group:
        """For a member's requests: in a group that nobody joined, every member is unknown."""
        if name not in self.groups:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        return self.groups[name]

    def group_names(self) -> list[str]:
        return sorted(self.offsets.groups() | {name for name, group in self.groups.items() if group.members})

    def topic_for(self, name: str, *, may_create: bool) -> Topic:
        if name not in self.topics.by_name and may_create and self.settings.auto_create_topics:
            return self.topics.create(name, self.settings.default_partitions, {})
        return self.topics.get(name)

    def delete_topic(self, name: str) -> None:
        self.topics.delete(name)
        self.offsets.forget(topic=name)

    def dirty_parts(self) -> Iterator[Log | Offsets]:
        yield from (log for log in self.topics.logs() if log.dirty)
        if self.offsets.dirty:
            yield self.offsets

    async def keep_written(self, *parts: Log | Offsets) -> None:
        """Under `always` nothing is acknowledged before the disk has it."""
        if self.settings.fsync is Fsync.ALWAYS:
            await asyncio.to_thread(_sync_all, [part for part in parts if part.dirty])

    async def sync_regularly(self) -> None:
        while self.settings.fsync is Fsync.INTERVAL:
            await asyncio.sleep(self.settings.fsync_seconds)
            await asyncio.to_thread(_sync_all, list(self.dirty_parts()))

    async def expire_regularly(self, pause: float = 0.25) -> None:
        """A broker that was itself frozen must not take its members for dead."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(pause)
            late = time.monotonic() - before - pause
            for group in list(self.groups.values()):
                if late > 1:
                    group.forgive(late)
                group.expire()
                if group.is_abandoned():
                    del self.groups[group.name]

    async def clean_regularly(self) -> None:
        while True:
            for log in list(self.topics.logs()):
                log.enforce_retention(time.time_ns() // 1_000_000)
            await asyncio.sleep(self.settings.housekeeping_seconds)

    def close(self) -> None:
        for group in self.groups.values():
            group.close()
        _sync_all(list(self.dirty_parts()))
        self.topics.close()
        self.offsets.close()
        self._lock.close()


def _sync_all(parts: list[Log | Offsets]) -> None:
    for part in parts:
        part.sync()
