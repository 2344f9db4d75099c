"""The log of one partition: segment files of record batches, an index in memory, retention, repair of a torn tail."""

import asyncio
import contextlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fenta.embedded.processes import write_atomically

from .batch import Batch, check_produced, has_right_crc, placed_at, read_header, record_times
from .errors import Code, Refused
from .producers import Producers
from .settings import TopicSettings


class Entry(NamedTuple):
    """Where one batch lies in its segment."""

    base_offset: int
    last_offset: int
    position: int
    size: int
    max_timestamp: int


class Segment:
    """One file, named by the first offset it may hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base_offset = int(path.stem)
        self.entries: list[Entry] = []
        self.size = 0
        self.max_timestamp = -1
        self._file = path.open("a+b", buffering=0)

    @classmethod
    def create(cls, folder: Path, base_offset: int) -> "Segment":
        return cls(folder / f"{base_offset:020d}.log")

    @property
    def end_offset(self) -> int:
        return self.entries[-1].last_offset + 1 if self.entries else self.base_offset

    def recover(self, *, check_crc: bool) -> Iterator[Batch]:
        """Fills the index from the file and cuts off what a crash left unfinished."""
        data = memoryview(self.path.read_bytes())
        while (batch := read_header(data, self.size)) is not None:
            if batch.base_offset < self.end_offset or (check_crc and not has_right_crc(data, batch, self.size)):
                break
            self._index(batch, batch.base_offset)
            yield batch
        if self.size < len(data):
            self._file.truncate(self.size)

    def append(self, data: bytes, batch: Batch, offset: int) -> None:
        """All of it or nothing: a full disk leaves no half batch behind."""
        try:
            written = self._file.write(data)
        except OSError as error:
            written, failure = 0, error
        else:
            failure = OSError("short write")
        if written != len(data):
            self._file.truncate(self.size)
            raise Refused(Code.KAFKA_STORAGE_ERROR, str(failure))
        self._index(batch, offset)

    def _index(self, batch: Batch, offset: int) -> None:
        last = offset + batch.last_offset_delta
        self.entries.append(Entry(offset, last, self.size, batch.size, batch.max_timestamp))
        self.size += batch.size
        self.max_timestamp = max(self.max_timestamp, batch.max_timestamp)

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Whole batches from the one that holds `offset` on; at least one, however small the limit."""
        first = bisect_left(self.entries, offset, key=lambda entry: entry.last_offset)
        if first == len(self.entries):
            return b""
        start = self.entries[first].position
        beyond = bisect_right(self.entries, start + max_bytes, key=lambda entry: entry.position + entry.size)
        last = self.entries[max(beyond - 1, first)]
        return os.pread(self._file.fileno(), last.position + last.size - start, start)

    def sync(self) -> None:
        with contextlib.suppress(ValueError):  # deleted by retention in the meantime
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def delete(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


class Log:
    """One partition. `waiting` holds the events of fetches that want to hear of the next batch."""

    def __init__(self, folder: Path, settings: TopicSettings) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = settings
        self.producers = Producers()
        self.waiting: set[asyncio.Event] = set()
        self.dirty = False
        self.segments = self._open()
        self._deleted_before = self._read_note()

    def _open(self) -> list[Segment]:
        paths = sorted(self.folder.glob("*.log"))
        segments = [Segment(path) for path in paths] or [Segment.create(self.folder, 0)]
        for segment in segments:
            # Only the last file can have been in the middle of a write.
            for batch in segment.recover(check_crc=segment is segments[-1]):
                self.producers.remember(batch, batch.base_offset)
        return segments

    def _read_note(self) -> int:
        """Up to where records were deleted; a power cut may have kept this note and not the records before it."""
        note = self.folder / "start"
        return min(int(note.read_text()), self.end_offset) if note.exists() else 0

    @property
    def start_offset(self) -> int:
        return max(self.segments[0].base_offset, self._deleted_before)

    @property
    def end_offset(self) -> int:
        return self.segments[-1].end_offset

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    def append(self, data: bytes) -> int:
        """Stores one batch and answers its first offset; a batch that came before answers where it already is."""
        batch = check_produced(data, self.settings.max_message_bytes)
        known = self.producers.check(batch)
        if known is not None:
            return known
        self._roll_if_due(batch)
        offset = self.end_offset
        self.segments[-1].append(placed_at(data, batch, offset), batch, offset)
        self.producers.remember(batch, offset)
        self.dirty = True
        for event in self.waiting:
            event.set()
        return offset

    def _roll_if_due(self, incoming: Batch) -> None:
        """Ages are those of records, as Kafka counts them: an old record that comes today is no reason."""
        active = self.segments[-1]
        if not active.entries:
            return
        full = active.size + incoming.size > self.settings.segment_bytes
        age_ms = incoming.max_timestamp - active.entries[0].max_timestamp
        if full or age_ms > self.settings.roll_after_ms:
            self._roll()

    def _roll(self) -> None:
        self.segments[-1].sync()
        self.segments.append(Segment.create(self.folder, self.end_offset))

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Empty at the end of the log; Refused outside of it."""
        if not self.start_offset <= offset <= self.end_offset:
            raise Refused(Code.OFFSET_OUT_OF_RANGE)
        position = bisect_right(self.segments, offset, key=lambda segment: segment.base_offset) - 1
        for segment in self.segments[position:]:
            if data := segment.read(offset, max_bytes):
                return data
        return b""

    def find_time(self, timestamp_ms: int) -> tuple[int, int] | None:
        """(offset, timestamp) of the first record at or after that time."""
        for segment in self.segments:
            if segment.max_timestamp < timestamp_ms:
                continue
            for entry in segment.entries:
                if entry.max_timestamp >= timestamp_ms and entry.last_offset >= self.start_offset:
                    found = self._find_in_batch(segment.read(entry.base_offset, 0), timestamp_ms)
                    if found is not None:
                        return found
        return None

    def _find_in_batch(self, data: bytes, timestamp_ms: int) -> tuple[int, int] | None:
        start = self.start_offset
        return next((found for found in record_times(data) if found[1] >= timestamp_ms and found[0] >= start), None)

    def delete_before(self, offset: int) -> int:
        """No record before `offset` is read again; answers the new start. Whole segments go from the disk."""
        if not self.start_offset <= offset <= self.end_offset:
            raise Refused(Code.OFFSET_OUT_OF_RANGE)
        write_atomically(self.folder / "start", str(offset))
        self._deleted_before = offset
        if self.segments[-1].entries and offset == self.end_offset:
            self._roll()
        while len(self.segments) > 1 and self.segments[0].end_offset <= offset:
            self.segments.pop(0).delete()
        return self.start_offset

    def enforce_retention(self, now_ms: int) -> int:
        """Drops whole segments that are too old or too many; answers how many."""
        active = self.segments[-1]
        if active.entries and self._is_expired(active, now_ms):
            self._roll()
        before = len(self.segments)
        while len(self.segments) > 1 and self._is_superfluous(self.segments[0], now_ms):
            self.segments.pop(0).delete()
        return before - len(self.segments)

    def _is_expired(self, segment: Segment, now_ms: int) -> bool:
        keep_ms = self.settings.retention_ms
        return keep_ms >= 0 and now_ms - segment.max_timestamp > keep_ms

    def _is_superfluous(self, segment: Segment, now_ms: int) -> bool:
        limit = self.settings.retention_bytes
        return self._is_expired(segment, now_ms) or 0 <= limit <= self.size - segment.size

    def sync(self) -> None:
        """Down to the disk, as far as the disk is honest."""
        if self.dirty:
            self.dirty = False
            self.segments[-1].sync()

    def close(self) -> None:
        for segment in self.segments:
            segment.close()
        for event in self.waiting:
            event.set()
