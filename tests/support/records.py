"""Record batches built by hand."""

import time

from aiokafka.record.default_records import DefaultRecordBatchBuilder


def batch(
    *values: bytes,
    producer: int = -1,
    epoch: int = -1,
    sequence: int = -1,
    time_ms: int | None = None,
    transactional: bool = False,
) -> bytes:
    """One batch, as a producer sends it; its records are of this moment, or of the one given."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=transactional,
        producer_id=producer,
        producer_epoch=epoch,
        base_sequence=sequence,
        batch_size=1 << 24,
    )
    timestamp = time.time_ns() // 1_000_000 if time_ms is None else time_ms
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=timestamp, key=None, value=value, headers=[])
    return bytes(builder.build())
