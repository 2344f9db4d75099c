"""What one partition remembers of idempotent producers, so that a resent batch is stored once."""

from collections import deque
from typing import NamedTuple

from .batch import SEQUENCES, Batch
from .errors import Code, Refused

# A producer has at most five requests in flight, so an older batch cannot legally come again.
REMEMBERED_BATCHES = 5
# Producers that have been silent longest are forgotten beyond this number.
REMEMBERED_PRODUCERS = 2000


class Stored(NamedTuple):
    """One batch of a producer that is in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int


class Producer:
    """The epoch of one producer and its last batches."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: deque[Stored] = deque(maxlen=REMEMBERED_BATCHES)

    @property
    def next_sequence(self) -> int:
        return (self.batches[-1].last_sequence + 1) % SEQUENCES

    def find(self, batch: Batch) -> int | None:
        """Where this very batch lies, if it came before."""
        wanted = (batch.first_sequence, batch.last_sequence)
        return next((stored.base_offset for stored in self.batches if stored[:2] == wanted), None)


class Producers:
    """By producer id, the least recently heard first."""

    def __init__(self) -> None:
        self.known: dict[int, Producer] = {}

    def check(self, batch: Batch) -> int | None:
        """The offset under which this very batch is stored already, or None to store it; Refused if out of order."""
        producer = self.known.get(batch.producer_id)
        if batch.producer_id < 0 or producer is None:
            return None
        if batch.producer_epoch < producer.epoch:
            raise Refused(Code.INVALID_PRODUCER_EPOCH)
        renewed = batch.producer_epoch > producer.epoch
        stored = None if renewed else producer.find(batch)
        if stored is None:
            _check_order(batch, 0 if renewed else producer.next_sequence, producer)
        return stored

    def remember(self, batch: Batch, base_offset: int) -> None:
        if batch.producer_id < 0:
            return
        producer = self.known.pop(batch.producer_id, None)
        if producer is None or producer.epoch != batch.producer_epoch:
            producer = Producer(batch.producer_epoch)
        producer.batches.append(Stored(batch.first_sequence, batch.last_sequence, base_offset))
        self.known[batch.producer_id] = producer
        if len(self.known) > REMEMBERED_PRODUCERS:
            del self.known[next(iter(self.known))]


def _check_order(batch: Batch, expected: int, producer: Producer) -> None:
    """A sequence from before what is remembered was stored once and answered; one from beyond has a gap before it."""
    if batch.first_sequence == expected:
        return
    if batch.producer_epoch == producer.epoch and batch.first_sequence < producer.batches[0].first_sequence:
        raise Refused(Code.DUPLICATE_SEQUENCE_NUMBER)
    raise Refused(Code.OUT_OF_ORDER_SEQUENCE_NUMBER)
