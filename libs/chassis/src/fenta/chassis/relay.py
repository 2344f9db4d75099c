"""The relay carries outbox rows to Kafka, in order per key, and forgets them once all replicas have them."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import text

from fenta.chassis import telemetry
from fenta.chassis.backlog import NOTHING, SILENT_SECONDS, Backlog, Batch
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database
from fenta.chassis.kafka import send_all, start_producer, stop_client
from fenta.chassis.outbox import Bundle, OutboxRow, outbox_row
from fenta.chassis.settings import Settings
from fenta.chassis.telemetry import log
from fenta.contracts.events import Event

BATCH_EVENTS = 1000
# So many are sent before another relay, and what may be lost, have their turn.
MOST_BATCHES = 4
# Nothing is read on while so few are sent: they are in Kafka sooner, and seldom is there more.
FEW_EVENTS = 50
LINGER_SECONDS = 0.01
# While it waits for Kafka it says nothing to Postgres.
SEND_TIMEOUT_SECONDS = SILENT_SECONDS - 15
IDLE_SECONDS = 1.0
PING_SECONDS = 2.0
LOSSY_EVENTS = 2000
REMEMBERED_BYTES = 4_000_000

_STATE = text("SELECT coalesce(sum(count), 0), coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox")


class Relay:
    """Sends what the transactions of this service have left in the outbox, and lossy events from memory."""

    def __init__(self, *, database: Database, settings: Settings, service: str) -> None:
        self._database = database
        self._settings = settings
        self._service = service
        self._backlog = Backlog(database.engine)
        self._producer: AIOKafkaProducer | None = None
        self._awake = asyncio.Event()
        self._lossy: deque[OutboxRow] = deque(maxlen=LOSSY_EVENTS)
        # What was committed here lately, so that it need not be read again. The table says what is sent and in which
        # order, and has the rest.
        self._remembered: dict[int, Bundle] = {}
        self._remembered_bytes = 0
        self.last_success = time.monotonic()
        database.on_publish(self.remember)

    def remember(self, bundles: Sequence[Bundle]) -> None:
        """These are in the outbox now."""
        for bundle in bundles:
            self._remembered[bundle.id] = bundle
            self._remembered_bytes += bundle.size
        while self._remembered_bytes > REMEMBERED_BYTES:
            self._recall(next(iter(self._remembered)))
        self.wake()

    def _recall(self, row: int) -> Sequence[OutboxRow] | None:
        """The events of this row, if they are in memory, where nobody needs them any more."""
        bundle = self._remembered.pop(row, None)
        if bundle is None:
            return None
        self._remembered_bytes -= bundle.size
        return bundle.rows

    def wake(self) -> None:
        self._awake.set()

    def publish_lossy(self, event: Event) -> None:
        """Send soon, or never: when Kafka is away the oldest are dropped."""
        if not event.lossy:
            raise ValueError(f"{event.topic} must not be lost; publish it in a transaction")
        self._lossy.append(outbox_row(event, source=self._service))
        self.wake()

    async def run(self) -> None:
        """Relay until cancelled; a failure closes the producer, waits and starts over."""
        pause = 0.2
        try:
            while True:
                try:
                    await self._relay_all()
                    pause = 0.2
                    await self._sleep()
                except Exception as error:  # whatever failed, the rows are still there
                    log.warning("relay.failed", error=f"{type(error).__name__}: {error}")
                    await self.close()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5)
        finally:
            await self.close()

    async def state(self) -> tuple[int, float]:
        """Events in the outbox, and the age of the oldest in seconds."""
        async with self._database.engine.connect() as connection:
            events, oldest = (await connection.execute(_STATE)).one()
        telemetry.outbox_rows.labels(self._service).set(events)
        telemetry.outbox_oldest_seconds.labels(self._service).set(float(oldest))
        return events, float(oldest)

    async def reaches_kafka(self) -> bool:
        """Whether Kafka answers now: an idle relay would not notice that it is away."""
        if self._producer is None:
            return False
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._producer.client.fetch_all_metadata()
        except (KafkaError, TimeoutError):
            return False
        return True

    async def _sleep(self) -> None:
        with contextlib.suppress(TimeoutError):
            # `wait_for` would lose a cancellation that comes together with the wake-up.
            async with asyncio.timeout(IDLE_SECONDS):
                await self._awake.wait()

    async def _relay_all(self) -> None:
        self._producer = self._producer or await start_producer(self._settings)
        self._awake.clear()
        await self._send_lossy()
        while await self.relay_batches(self._producer) == MOST_BATCHES:
            pass
        self.last_success = time.monotonic()

    async def relay_batches(self, producer: AIOKafkaProducer) -> int:
        """Publish what is there, and say how many batches it took; there may be more if these were the most.

        Rows are deleted only after Kafka has acknowledged all of their batch, so a crash in between publishes some
        twice; inboxes swallow that. The backlog is held meanwhile: a second replica's relay must not overtake.
        """
        first = await self._backlog.take(BATCH_EVENTS)
        if first is None:
            self._awake.set()
            await asyncio.sleep(0.02)
            return 0
        count = await self._relay(producer, first)
        await self._backlog.let_go()
        return count

    async def _relay(self, producer: AIOKafkaProducer, batch: Batch) -> int:
        """While a batch is sent the one before it is forgotten and the next one read; answers how many were sent."""
        count, sent = 0, NOTHING
        while batch or sent:
            count += bool(batch)
            sending = asyncio.create_task(self._send(producer, await self._contents(batch)))
            crash_point("relay.read")
            try:
                if sum(batch.values()) < FEW_EVENTS:
                    await sending
                    crash_point("relay.sent")
                    await self._linger()
                    sent, batch = {**sent, **batch}, NOTHING
                most = BATCH_EVENTS if count < MOST_BATCHES else 0
                following = await self._backlog.read_on(most, sent=sent, sending=batch)
                if sent:
                    crash_point("relay.forgotten")
                await sending
            finally:
                sending.cancel()
            crash_point("relay.sent")
            sent, batch = batch, following
        return count

    async def _linger(self) -> None:
        """Forget what was sent when there is more, or a moment later: who waits for it has Postgres for himself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._awake.wait()
        if not self._lossy:
            self._awake.clear()

    async def _contents(self, batch: Batch) -> Sequence[OutboxRow]:
        """From memory, or read where they are not there."""
        found = {row: self._recall(row) for row in batch}
        if missing := [row for row, events in found.items() if events is None]:
            found.update(await self._backlog.contents(missing))
        return [event for row in batch for event in found[row] or ()]

    async def _send_lossy(self) -> None:
        rows, self._lossy = list(self._lossy), deque(maxlen=LOSSY_EVENTS)
        if rows and self._producer:
            await self._send(self._producer, rows)

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[OutboxRow]) -> None:
        """Returns once all replicas have all of them."""
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await send_all(producer, rows)

    async def close(self) -> None:
        """Leave Postgres and Kafka; the next batch connects anew."""
        producer, self._producer = self._producer, None
        await self._backlog.close()
        if producer:
            await stop_client(producer)
