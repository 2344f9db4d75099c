"""One Kafka consumer per service: a batch is one transaction of inbox, effects and outbox, then it is acknowledged."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy.exc import DBAPIError

from fenta.chassis import inbox, names, shares, telemetry
from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session, is_passing
from fenta.chassis.dead_letters import DeadLetters
from fenta.chassis.errors import PermanentError, TransientError
from fenta.chassis.kafka import connection, security, stop_client
from fenta.chassis.messages import Message, Poison, Route, Skipped, read
from fenta.chassis.settings import Settings
from fenta.chassis.telemetry import log, trace
from fenta.contracts.events import Event
from fenta.contracts.topics import consumed_by

MAX_RECORDS = 1000
RETRY_PAUSES = (0.2, 1.0)
OUTAGE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
# A statement that waited too long for a lock: a frozen process keeps its own until it goes on or ends.
STUCK_SQLSTATES = ("57014", "55P03")
STUCK_PAUSE_SECONDS = 1.0
# With statements of 15 s this is less than Kafka's patience with a silent member.
MOST_STUCK_TRIES = 12
MOST_DEAD_IN_A_ROW = 20
COMMIT_TIMEOUT_SECONDS = 15.0
LAST_COMMIT_SECONDS = 2.0
BEAT_SECONDS = 1.0
SHARES_SECONDS = 30.0
POLL_MILLISECONDS = 1000
# A topic that was not there for a moment, or has more partitions now, is read this much later at most.
METADATA_AGE_MILLISECONDS = 10_000

Records = Sequence["ConsumerRecord[bytes, bytes]"]


class Consumer:
    """Reads the topics of one group and hands their events to the routes.

    `lossy` consumers read the topics of live numbers: no inbox, no dead letters, no replay of the past.
    """

    def __init__(
        self,
        *,
        service: str,
        database: Database,
        settings: Settings,
        routes: Sequence[Route],
        on_fatal: Callable[[str], None],
        lossy: bool = False,
    ) -> None:
        self._service = service
        self._database = database
        self._settings = settings
        self._routes = routes
        self._on_fatal = on_fatal
        self._lossy = lossy
        self._dead_letters = DeadLetters(service)
        self._dead_in_a_row = 0
        self._by_event = {event: route for route in routes for event in route.events}
        self.group = f"{service}.live" if lossy else service
        self.member = f"{self.group}.{settings.instance_id}"
        self._owner = f"{self.member}/{uuid.uuid4()}"
        self.topics = self._topics()
        self.last_poll = time.monotonic()
        self.connected = False
        self._acknowledging: asyncio.Task[None] | None = None

    def _topics(self) -> list[str]:
        wanted = {event.topic for route in self._routes for event in route.events}
        declared = {topic.name for topic in consumed_by(self._service, lossy=self._lossy)}
        if strangers := wanted - declared:
            raise ValueError(f"{self._service} must not read {sorted(strangers)}; see fenta.contracts.topics")
        return sorted(wanted)

    async def run(self) -> None:
        """Consume until cancelled or replaced; starts anew with a fresh client until Kafka is there."""
        await self._take_name()
        pause = 0.2
        while True:
            broker = self._broker()
            try:
                await broker.start()
                self._watch()
                self.connected, pause = True, 0.2
                log.info("consumer.started", group=self.group, topics=self.topics)
                sharing = asyncio.create_task(self._keep_shares())
                try:
                    return await self._keep_name()
                finally:
                    sharing.cancel()
                    await asyncio.wait({sharing})
            except OSError as error:  # KafkaConnectionError is one of them
                log.warning("consumer.waiting", group=self.group, error=str(error))
            except Exception as error:
                log.warning("consumer.failed", group=self.group, error=f"{type(error).__name__}: {error}")
            finally:
                self.connected = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_COMMIT_SECONDS):
                        await self._acknowledged()
                await stop_client(broker)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5)

    async def _take_name(self) -> None:
        while True:
            try:
                async with self._database.transaction() as session:
                    return await names.take(session, self.member, self._owner, lease_seconds=BEAT_SECONDS)
            except Exception as error:
                log.warning("consumer.waiting", group=self.group, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(BEAT_SECONDS)

    async def _keep_name(self) -> None:
        """Look now and then whether another process has come under our name; then this one ends."""
        ours = True
        while ours:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(Exception):  # the database is away: whether we are still wanted will show
                async with self._database.transaction() as session:
                    ours = await names.keep(session, self.member, self._owner, lease_seconds=BEAT_SECONDS)
        self._on_fatal(f"another process goes by the name {self.member} now")

    async def _keep_shares(self) -> None:
        """Look now and then whether each partition has its reader; if not, all of them are shared out anew."""
        while True:
            try:
                if unread := await shares.unread(self._settings, self.group, self.topics):
                    log.warning("partitions.unread", group=self.group, partitions=len(unread))
                    await shares.share_out(self._subscriber.consumer)
            except Exception as error:  # Kafka is away: the group will be made anew, or the next look tells
                log.info("shares.unknown", group=self.group, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(SHARES_SECONDS)

    def _broker(self) -> KafkaBroker:
        arguments = connection(self._settings)
        broker = KafkaBroker(
            arguments["bootstrap_servers"],
            security=security(self._settings),
            request_timeout_ms=arguments["request_timeout_ms"],
            retry_backoff_ms=arguments["retry_backoff_ms"],
            metadata_max_age_ms=METADATA_AGE_MILLISECONDS,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            logger=logging.getLogger("fenta.faststream"),
            graceful_timeout=5,
        )
        self._subscriber = self._subscribe(broker)
        return broker

    def _subscribe(self, broker: KafkaBroker) -> Any:
        session_ms = round(self._settings.kafka_session_timeout_seconds * 1000)
        subscriber = broker.subscriber(
            *self.topics,
            batch=True,
            max_records=MAX_RECORDS,
            # An empty poll is followed by a sleep of this length.
            batch_timeout_ms=10,
            group_id=self.group,
            # A killed process that comes back keeps its partitions instead of waiting for its own session to end.
            group_instance_id=self.member,
            auto_offset_reset="latest" if self._lossy else "earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(3000, session_ms // 3),
            max_poll_interval_ms=300_000,
            partition_assignment_strategy=(RangePartitionAssignor,),
            ack_policy=AckPolicy.MANUAL,
            parser=_safe_parser,
            decoder=_whole_message,
        )
        subscriber(self._consume)
        return subscriber

    def _watch(self) -> None:
        """Note every poll, and end the process when another one has taken our place in the group.

        A poll lasts until there is something: FastStream sleeps after an empty one, and would ask fifty times a second.
        """
        consumer: Any = self._subscriber.consumer
        poll = consumer.getmany

        async def getmany(*partitions: Any, **arguments: Any) -> Any:
            self.last_poll = time.monotonic()
            try:
                return await poll(*partitions, **arguments | {"timeout_ms": POLL_MILLISECONDS})
            except KafkaError as error:
                # The client knows no error of its own for a member whose instance id another process has taken.
                if not error.retriable:
                    self._on_fatal(f"Kafka no longer takes {self.member}: {error!r}")
                raise

        consumer.getmany = getmany

    async def _consume(self, message: KafkaMessage) -> None:
        """One batch: handle it, then commit its offsets; after a failure the same records are read again."""
        # It remembers itself as what it was decoded to, and would hold all records until the garbage is collected.
        message.clear_cache()
        try:
            await self._handle_in_outages(message.raw_message)
        except Exception:
            log.exception("batch.failed", group=self.group)
            await message.nack()
            return
        crash_point("consumer.committed")
        await self._acknowledge(message.raw_message)

    async def _acknowledge(self, records: Any) -> None:
        """Commit the offsets of a handled batch while the next one is handled; one after the other."""
        await self._acknowledged()
        self._acknowledging = asyncio.create_task(self._commit(_offsets_after(records)))

    async def _acknowledged(self) -> None:
        if self._acknowledging is not None and not self._acknowledging.done():
            await asyncio.wait({self._acknowledging})

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await self._subscriber.consumer.commit(offsets)
            crash_point("consumer.acknowledged")
        except (KafkaError, TimeoutError) as error:
            # The group has moved on, or Kafka is away: the records come again and meet the inbox.
            log.info("commit.failed", group=self.group, error=f"{type(error).__name__}: {error}")

    async def _handle_in_outages(self, records: Any) -> None:
        """While Postgres is away the batch waits here, shorter than Kafka's patience with a silent member."""
        for pause in (*OUTAGE_PAUSES, *([5.0] * 30)):
            try:
                return await self._handle(records)
            except Exception as error:
                if not _is_passing(error):
                    raise
                log.warning("batch.waiting", group=self.group, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause)
        raise TransientError("the database stayed away")

    async def _handle(self, records: Records) -> None:
        crash_point("consumer.fetched")
        read_records = [read(record, reader=self._service) for record in records]
        messages = [found for found in read_records if isinstance(found, Message)]
        poisoned = [found for found in read_records if isinstance(found, Poison)]
        telemetry.of(telemetry.unknown_types, self._service).inc(read_records.count(Skipped.UNKNOWN_TYPE))
        if self._lossy:
            return await self._pass_on(messages)
        if poisoned:
            await self._set_aside(poisoned, attempts=1)
        await self._handle_messages(messages)
        return None

    async def _handle_messages(self, messages: Sequence[Message[Event]], *, tries: int = 0) -> None:
        """Try the batch; when it keeps failing, halve it until the culprit stands alone and is set aside."""
        if not messages:
            return
        # Halves of a batch that was retried are tried once; a message that stands alone gets all its tries.
        pauses = RETRY_PAUSES if len(messages) == 1 or not tries else ()
        error, tries = await self._try(messages, pauses, tries)
        if error is None:
            self._dead_in_a_row = 0
            telemetry.of(telemetry.consumer_batch_messages, self._service).observe(len(messages))
        elif len(messages) > 1:
            middle = len(messages) // 2
            await self._handle_messages(messages[:middle], tries=tries)
            await self._handle_messages(messages[middle:], tries=tries)
        else:
            culprit = Poison(messages[0].record, "handler_failed", f"{type(error).__name__}: {error}")
            await self._set_aside([culprit], attempts=tries, error=error)

    async def _try(
        self, messages: Sequence[Message[Event]], pauses: Sequence[float], tries: int
    ) -> tuple[Exception | None, int]:
        """What went wrong in the end, if anything, and how often these messages have been tried by now."""
        left = list(pauses)
        while True:
            tries += 1
            try:
                await self._transact(messages)
                return None, tries
            except Exception as error:
                if _is_passing(error):
                    raise
                if _is_stuck(error) and tries < MOST_STUCK_TRIES:
                    log.warning("batch.waiting", group=self.group, error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(STUCK_PAUSE_SECONDS)
                    continue
                if not left or isinstance(error, PermanentError):
                    return error, tries
                log.warning("batch.retried", group=self.group, error=f"{type(error).__name__}: {error}", exc_info=True)
            await asyncio.sleep(left.pop(0))

    async def _transact(self, messages: Sequence[Message[Event]]) -> None:
        """Inbox, effects and outbox of the batch: all of it or nothing."""
        async with self._database.transaction() as session:
            fresh_ids = await inbox.claim(session, [message.id for message in messages])
            fresh = list({message.id: message for message in messages if message.id in fresh_ids}.values())
            telemetry.of(telemetry.inbox_duplicates, self._service).inc(len(messages) - len(fresh))
            crash_point("consumer.claimed")
            await self._dispatch(session, fresh)
            crash_point("consumer.dispatched")
        crash_point("consumer.handled")

    async def _dispatch(self, session: Session, messages: Sequence[Message[Event]]) -> None:
        whole: dict[int, tuple[Route, list[Message[Event]]]] = {}
        for message in messages:
            route = self._by_event.get(type(message.event))
            if route is None:
                continue
            if route.whole:
                whole.setdefault(id(route), (route, []))[1].append(message)
            elif route.use_case:
                with trace(message.traceparent, event_id=message.id, org_id=message.event.org_id):
                    await route.use_case(session, message)
        for route, gathered in whole.values():
            if route.whole:
                await route.whole(session, gathered)

    async def _pass_on(self, messages: Sequence[Message[Event]]) -> None:
        """Live numbers: one transaction without inbox; a failure costs these numbers, the next ones come anyway."""
        if not messages:
            return
        try:
            async with self._database.transaction() as session:
                await self._dispatch(session, messages)
        except Exception as error:
            log.warning("live.dropped", group=self.group, error=f"{type(error).__name__}: {error}")

    async def _set_aside(self, poisoned: Sequence[Poison], *, attempts: int, error: Exception | None = None) -> None:
        async with self._database.transaction() as session:
            for poison in poisoned:
                await self._dead_letters.store(session, poison, attempts=attempts, error=error)
            crash_point("letters.stored")
        crash_point("letters.committed")
        self._dead_in_a_row += sum(poison.reason == "handler_failed" for poison in poisoned)
        if self._dead_in_a_row >= MOST_DEAD_IN_A_ROW:
            self._on_fatal(f"{self._dead_in_a_row} messages in a row could not be handled")
            # The process ends now; what is left of the batch is not to blame and is read again.
            await asyncio.Event().wait()


async def _safe_parser(message: Any, original: Any) -> Any:
    """FastStream drops a whole batch for one header that is null or not UTF-8: it gets to see the first record, bare.

    What goes on is the batch as it came, so that dead letters lose nothing.
    """
    parsed = await original((replace(message[0], headers=()),))
    parsed.raw_message = message
    return parsed


async def _whole_message(message: KafkaMessage) -> KafkaMessage:
    """The handler decodes record by record, so that one bad value costs no good one."""
    return message


def _offsets_after(records: Records) -> dict[TopicPartition, int]:
    """Where each partition goes on. Its records come in their order, mostly all of them in a row."""
    last_in_a_row = [
        record
        for record, following in zip_longest(records, records[1:])
        if not following or record.partition != following.partition or record.topic != following.topic
    ]
    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in last_in_a_row}


def _is_passing(error: Exception) -> bool:
    return isinstance(error, TransientError) or is_passing(error)


def _is_stuck(error: Exception) -> bool:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", None) in STUCK_SQLSTATES
