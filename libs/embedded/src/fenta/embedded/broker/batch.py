"""Record batches (message format 2): what the broker must know about one without decompressing it."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from .errors import Code, Refused

HEADER = struct.Struct(">qiibIhiqqqhii")
# The batch's own length does not count the base offset and the length field itself.
UNCOUNTED = 12
CRC_STARTS = 21
TRANSACTIONAL = 0x10 | 0x20
SEQUENCES = 1 << 31
OUR_LEADER_EPOCH = 0


class Batch(NamedTuple):
    """The header of one batch, in the order in which it lies on disk."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    first_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return self.length + UNCOUNTED

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def last_sequence(self) -> int:
        return (self.first_sequence + self.last_offset_delta) % SEQUENCES


def read_header(data: bytes | memoryview, position: int = 0) -> Batch | None:
    """The batch that starts at `position`, or None when the bytes there are no whole batch."""
    if position + HEADER.size > len(data):
        return None
    batch = Batch._make(HEADER.unpack_from(data, position))
    sound = batch.magic == 2 and batch.size >= HEADER.size and batch.last_offset_delta >= 0
    return batch if sound and position + batch.size <= len(data) else None


def has_right_crc(data: bytes | memoryview, batch: Batch, position: int = 0) -> bool:
    return bool(calc_crc32c(bytes(data[position + CRC_STARTS : position + batch.size])) == batch.crc)


def check_produced(data: bytes, longest: int) -> Batch:
    """What a producer sent for one partition must be exactly one sound batch; Refused otherwise."""
    batch = read_header(data)
    if batch is None:
        raise Refused(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT if _is_old_format(data) else Code.CORRUPT_MESSAGE)
    if batch.size > longest:
        raise Refused(Code.MESSAGE_TOO_LARGE)
    if batch.size != len(data) or batch.record_count != batch.last_offset_delta + 1 or batch.attributes & TRANSACTIONAL:
        raise Refused(Code.INVALID_RECORD)
    if not has_right_crc(data, batch):
        raise Refused(Code.CORRUPT_MESSAGE)
    return batch


def _is_old_format(data: bytes) -> bool:
    return len(data) > 16 and data[16] < 2


def placed_at(data: bytes, batch: Batch, offset: int) -> bytes:
    """The same batch with the offset that the log gives it; the checksum does not cover these bytes."""
    return struct.pack(">qii", offset, batch.length, OUR_LEADER_EPOCH) + data[16:]


def record_times(data: bytes) -> Iterator[tuple[int, int]]:
    """(offset, timestamp) of every record in one batch; this one does decompress."""
    records = MemoryRecords(data)
    while (batch := records.next_batch()) is not None:
        for record in batch:
            yield record.offset, record.timestamp
