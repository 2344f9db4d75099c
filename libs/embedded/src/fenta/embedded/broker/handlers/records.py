"""Records: taken, handed out, found by their time, deleted."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.log import Log
from fenta.embedded.broker.wire import Message

from .call import Call, per_partition

LATEST_OFFSET = -1
EARLIEST_OFFSET = -2
# As Kafka's fetch.max.bytes: one answer must fit into memory, whatever its reader can take.
MOST_FETCHED_BYTES = 55 << 20
# A reader that is gone is noticed when it is answered.
LONGEST_WAIT_SECONDS = 60.0


async def produce(call: Call) -> Message | None:
    acks = call.body["acks"]
    if acks not in (-1, 0, 1):
        return {"topics": per_partition(call, _refuse(Code.INVALID_REQUIRED_ACKS))}
    touched: list[Log] = []

    def append(name: str, entry: Message) -> Message:
        log = call.state.topics.log(name, entry["index"])
        touched.append(log)
        return {"base_offset": log.append(entry["records"] or b""), "log_start_offset": log.start_offset}

    answer = {"topics": per_partition(call, append)}
    await call.state.keep_written(*touched)
    return answer if acks else None


def _refuse(code: Code) -> Callable[[str, Message], Message]:
    def refuse(name: str, entry: Message) -> Message:
        raise Refused(code)

    return refuse


async def init_producer_id(call: Call) -> Message:
    if call.body["transactional_id"] is not None:
        # Transactions are not offered; this is the code that makes every client give up at once.
        return {"error_code": Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}
    return {"producer_id": call.state.new_producer_id(), "producer_epoch": 0}


async def fetch(call: Call) -> Message:
    """Waits, at most as long as the client wishes, until there is something to tell."""
    deadline = time.monotonic() + min(call.body["max_wait_ms"] / 1000, LONGEST_WAIT_SECONDS)
    news = asyncio.Event()
    with ExitStack() as stack:
        _watch(call, news, stack)
        while True:
            news.clear()
            answer, telling = _read_all(call)
            left = deadline - time.monotonic()
            if telling >= max(call.body["min_bytes"], 1) or left <= 0:
                return answer
            await _wait(news, left)


def _watch(call: Call, news: asyncio.Event, stack: ExitStack) -> None:
    for topic in call.body["topics"] or []:
        for entry in topic["partitions"]:
            with suppress(Refused):
                log = call.state.topics.log(topic["name"], entry["index"])
                log.waiting.add(news)
                stack.callback(log.waiting.discard, news)


async def _wait(news: asyncio.Event, seconds: float) -> None:
    handle = asyncio.get_running_loop().call_later(seconds, news.set)
    try:
        await news.wait()
    finally:
        handle.cancel()


def _read_all(call: Call) -> tuple[Message, int]:
    """The answer, and how many bytes it tells; an error tells as much as anybody waits for."""
    room = min(call.body["max_bytes"], MOST_FETCHED_BYTES)
    told = 0

    def read(name: str, entry: Message) -> Message:
        nonlocal told
        log = call.state.topics.log(name, entry["index"])
        offsets = {"last_stable_offset": log.end_offset, "log_start_offset": log.start_offset}
        records = b""
        if told < room:
            # The first batch is sent even if it is larger than the limit, or a reader could never pass it.
            records = log.read(entry["fetch_offset"], min(entry["max_bytes"], room - told))
        if told and told + len(records) > room:
            records = b""
        told += len(records)
        return {"high_watermark": log.end_offset, **offsets, "records": records}

    topics = per_partition(call, read)
    failed = any(entry.get("error_code") for topic in topics for entry in topic["partitions"])
    return {"topics": topics}, 1 << 31 if failed else told


async def list_offsets(call: Call) -> Message:
    def find(name: str, entry: Message) -> Message:
        log = call.state.topics.log(name, entry["index"])
        if entry["timestamp"] == LATEST_OFFSET:
            return {"offset": log.end_offset}
        if entry["timestamp"] == EARLIEST_OFFSET:
            return {"offset": log.start_offset}
        offset, timestamp = log.find_time(entry["timestamp"]) or (-1, -1)
        return {"offset": offset, "timestamp": timestamp}

    return {"topics": per_partition(call, find)}


async def delete_records(call: Call) -> Message:
    def delete(name: str, entry: Message) -> Message:
        log = call.state.topics.log(name, entry["index"])
        wanted = log.end_offset if entry["offset"] == LATEST_OFFSET else entry["offset"]
        return {"low_watermark": log.delete_before(wanted)}

    return {"topics": per_partition(call, delete)}
