"""Request → answer, one function per API. Each answers the body of the message; `server.py` frames it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, NamedTuple

from . import wire
from .errors import Code, Refused
from .groups import Group, MemberIdRequired
from .groups import State as GroupState
from .log import Log
from .offsets import Committed, Position
from .settings import TopicSettings
from .state import State
from .wire import Message

NODE_ID = 1
CLUSTER_ID = "fenta-embedded"
TOPIC_RESOURCE = 2
LATEST_OFFSET = -1
EARLIEST_OFFSET = -2
DEFAULT_COUNT = -1
SOURCE_TOPIC, SOURCE_DEFAULT = 1, 5
SET, RESET = 0, 1
# As Kafka's fetch.max.bytes: one answer must fit into memory, whatever its reader can take.
MOST_FETCHED_BYTES = 55 << 20
# A reader that is gone is noticed when it is answered.
LONGEST_WAIT_SECONDS = 60.0


class Call(NamedTuple):
    """One request with all it touches. `address` is where this broker listens."""

    state: State
    request: wire.Request
    address: tuple[str, int]
    peer: str

    @property
    def body(self) -> Message:
        return self.request.body


Handler = Callable[[Call], Awaitable[Message | None]]


def per_partition(call: Call, answer: Callable[[str, Message], Message]) -> list[Message]:
    """The usual shape of a request and its answer: topics, in them partitions, each with its own error."""
    return [
        {"name": topic["name"], "partitions": [_guarded(answer, topic["name"], entry) for entry in topic["partitions"]]}
        for topic in call.body["topics"] or []
    ]


def _guarded(answer: Callable[[str, Message], Message], name: str, entry: Message) -> Message:
    try:
        return {"index": entry["index"], **answer(name, entry)}
    except Refused as refusal:
        return {"index": entry["index"], "error_code": refusal.code, **_no_offsets()}


def _no_offsets() -> Message:
    return {"base_offset": -1, "high_watermark": -1, "last_stable_offset": -1, "log_start_offset": -1}


def per_entry(entries: Iterable[Message] | None, act: Callable[[Message], None]) -> list[Message]:
    """The administrator's shape: a list of things by name, each done or refused."""
    results = []
    for entry in entries or []:
        answer = {"name": entry["name"], "type": entry.get("type", 0)}
        try:
            act(entry)
        except Refused as refusal:
            answer.update(error_code=refusal.code, error_message=refusal.sentence)
        results.append(answer)
    return results


async def api_versions(call: Call) -> Message:
    known = call.request.version <= wire.API_VERSIONS.maximum
    return {"error_code": Code.NONE if known else Code.UNSUPPORTED_VERSION, "apis": wire.OFFERED}


# Topics


async def metadata(call: Call) -> Message:
    host, port = call.address
    names = call.body["topics"]
    everything = names is None or (not names and call.request.version == 0)
    may_create = call.body.get("allow_auto_topic_creation", True)
    wanted = list(call.state.topics.by_name) if everything else names
    return {
        "brokers": [{"node_id": NODE_ID, "host": host, "port": port}],
        "cluster_id": CLUSTER_ID,
        "controller_id": NODE_ID,
        "topics": [_describe_topic(call.state, name, may_create=may_create) for name in wanted],
    }


def _describe_topic(state: State, name: str, *, may_create: bool) -> Message:
    try:
        topic = state.topic_for(name, may_create=may_create)
    except Refused as refusal:
        return {"error_code": refusal.code, "name": name}
    replicas = {"leader": NODE_ID, "replicas": [NODE_ID], "in_sync": [NODE_ID]}
    return {"name": name, "partitions": [{"index": index, **replicas} for index in range(len(topic.logs))]}


async def create_topics(call: Call) -> Message:
    only_check = call.body.get("validate_only", False)

    def create(entry: Message) -> None:
        # That it is there already is told first, as Kafka does, so that asking again with other numbers is harmless.
        call.state.topics.check_name(entry["name"])
        partitions = _asked_partitions(call.state, entry)
        make = call.state.topics.check_new if only_check else call.state.topics.create
        make(entry["name"], partitions, _values(entry["configs"]))

    return {"topics": per_entry(call.body["topics"], create)}


def _asked_partitions(state: State, entry: Message) -> int:
    """A topic is described by counts, or by an assignment of partitions to brokers, of which there is one."""
    if entry["assignments"]:
        if any(assignment["brokers"] != [NODE_ID] for assignment in entry["assignments"]):
            raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, "there is one broker, number 1")
        return len(entry["assignments"])
    if entry["replication_factor"] not in (1, DEFAULT_COUNT):
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "there is one broker, so the replication factor is 1")
    count: int = entry["partition_count"]
    return state.settings.default_partitions if count == DEFAULT_COUNT else count


async def create_partitions(call: Call) -> Message:
    only_check = call.body["validate_only"]

    def grow(entry: Message) -> None:
        topic = call.state.topics.get(entry["name"])
        if entry["count"] <= len(topic.logs):
            raise Refused(Code.INVALID_PARTITIONS, f"{topic.name} has {len(topic.logs)} partitions; they only grow")
        if not only_check:
            topic.grow(entry["count"])

    return {"results": per_entry(call.body["topics"], grow)}


async def delete_topics(call: Call) -> Message:
    entries = [{"name": name} for name in call.body["names"] or []]
    return {"topics": per_entry(entries, lambda entry: call.state.delete_topic(entry["name"]))}


async def delete_records(call: Call) -> Message:
    def delete(name: str, entry: Message) -> Message:
        log = call.state.topics.log(name, entry["index"])
        wanted = log.end_offset if entry["offset"] == LATEST_OFFSET else entry["offset"]
        return {"low_watermark": log.delete_before(wanted)}

    return {"topics": per_partition(call, delete)}


# Access control: the code that Kafka itself answers where no authorizer is set.
NO_ACLS: Message = {"error_code": Code.SECURITY_DISABLED, "error_message": "the embedded broker keeps no ACLs"}


async def describe_acls(call: Call) -> Message:
    return NO_ACLS


async def create_acls(call: Call) -> Message:
    return {"results": [NO_ACLS for _ in call.body["creations"] or []]}


async def delete_acls(call: Call) -> Message:
    return {"results": [NO_ACLS for _ in call.body["filters"] or []]}


async def describe_configs(call: Call) -> Message:
    return {"results": [_describe_resource(call.state, resource) for resource in call.body["resources"] or []]}


def _describe_resource(state: State, resource: Message) -> Message:
    answer = {"type": resource["type"], "name": resource["name"]}
    if resource["type"] != TOPIC_RESOURCE:
        return answer
    try:
        settings = state.topics.get(resource["name"]).settings
    except Refused as refusal:
        return {**answer, "error_code": refusal.code}
    wanted = resource["keys"]
    values = {name: value for name, value in settings.described().items() if wanted is None or name in wanted}
    standard = TopicSettings().described()
    return {**answer, "configs": [_describe_config(name, value, standard[name]) for name, value in values.items()]}


def _describe_config(name: str, value: str, standard: str) -> Message:
    source = SOURCE_DEFAULT if value == standard else SOURCE_TOPIC
    return {"name": name, "value": value, "is_default": value == standard, "source": source}


async def alter_configs(call: Call) -> Message:
    """Replaces all settings: what the request does not name goes back to its default."""
    return _alter(call, lambda current, configs: TopicSettings().changed(_values(configs)))


async def incremental_alter_configs(call: Call) -> Message:
    return _alter(call, _incremented)


def _alter(call: Call, change: Callable[[TopicSettings, list[Message]], TopicSettings]) -> Message:
    def alter(entry: Message) -> None:
        if entry["type"] != TOPIC_RESOURCE:
            raise Refused(Code.INVALID_REQUEST, "only topics can be configured")
        topic = call.state.topics.get(entry["name"])
        changed = change(topic.settings, entry["configs"] or [])
        if not call.body["validate_only"]:
            topic.apply(changed)

    return {"results": per_entry(call.body["resources"], alter)}


def _incremented(current: TopicSettings, configs: list[Message]) -> TopicSettings:
    if any(config["operation"] not in (SET, RESET) for config in configs):
        raise Refused(Code.INVALID_CONFIG, "no setting here is a list")
    standard = TopicSettings().described()
    reset = {config["name"]: standard.get(config["name"]) for config in configs if config["operation"] == RESET}
    return current.changed({**_values(configs), **reset})


def _values(configs: list[Message] | None) -> dict[str, str | None]:
    return {config["name"]: config["value"] for config in configs or []}


# Records


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


async def init_producer_id(call: Call) -> Message:
    if call.body["transactional_id"] is not None:
        # Transactions are not offered; this is the code that makes every client give up at once.
        return {"error_code": Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}
    return {"producer_id": call.state.new_producer_id(), "producer_epoch": 0}


# Groups


async def find_coordinator(call: Call) -> Message:
    if call.body.get("key_type", 0):
        sentence = "the embedded broker offers no transactions"
        return {"error_code": Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "error_message": sentence, "host": ""}
    host, port = call.address
    return {"node_id": NODE_ID, "host": host, "port": port}


async def join_group(call: Call) -> Message:
    request = call.request
    try:
        group = call.state.group(call.body["group_id"])
        must_return = request.version >= 4
        return await group.join(call.body, request.client_id, f"/{call.peer}", must_return=must_return)
    except MemberIdRequired as refusal:
        return {"error_code": refusal.code, "member_id": refusal.member_id}
    except Refused as refusal:
        return {"error_code": refusal.code, "member_id": call.body["member_id"]}


async def sync_group(call: Call) -> Message:
    try:
        return {"assignment": await call.state.existing_group(call.body["group_id"]).sync(call.body)}
    except Refused as refusal:
        return {"error_code": refusal.code}


async def heartbeat(call: Call) -> Message:
    return _tried(lambda: call.state.existing_group(call.body["group_id"]).heartbeat(call.body))


def _tried(act: Callable[[], None]) -> Message:
    try:
        act()
    except Refused as refusal:
        return {"error_code": refusal.code}
    return {}


async def leave_group(call: Call) -> Message:
    def leave(member: Message) -> Message:
        instance_id = member.get("group_instance_id")
        group = call.state.existing_group
        return _tried(lambda: group(call.body["group_id"]).leave(member["member_id"], instance_id))

    if call.request.version < 3:
        return leave(call.body)
    return {"members": [{**member, **leave(member)} for member in call.body["members"] or []]}


async def offset_commit(call: Call) -> Message:
    group = call.body["group_id"]
    refused = _tried(lambda: _check_commit(call))
    commits: dict[Position, Committed] = {}

    def take(name: str, entry: Message) -> Message:
        if not refused:
            call.state.topics.log(name, entry["index"])
            commits[Position(group, name, entry["index"])] = Committed(entry["offset"], entry["metadata"])
        return refused

    answer = {"topics": per_partition(call, take)}
    if commits:
        call.state.offsets.commit(commits)
        await call.state.keep_written(call.state.offsets)
    return answer


def _check_commit(call: Call) -> None:
    name = call.body["group_id"]
    if name in call.state.groups:
        call.state.groups[name].check_commit(call.body)
    elif call.body["generation_id"] >= 0:
        raise Refused(Code.UNKNOWN_MEMBER_ID)


async def offset_fetch(call: Call) -> Message:
    committed = call.state.offsets.of_group(call.body["group_id"])
    wanted = call.body["topics"]
    if wanted is None:
        wanted = _topics_of(committed)
    return {
        "topics": [
            {
                "name": topic["name"],
                "partitions": [
                    _describe_offset(index, committed.get((topic["name"], index))) for index in topic["partitions"]
                ],
            }
            for topic in wanted
        ]
    }


def _topics_of(committed: Mapping[tuple[str, int], Any]) -> list[Message]:
    topics: dict[str, list[int]] = {}
    for name, index in sorted(committed):
        topics.setdefault(name, []).append(index)
    return [{"name": name, "partitions": indexes} for name, indexes in topics.items()]


def _describe_offset(index: int, committed: Committed | None) -> Message:
    if committed is None:
        return {"index": index, "metadata": ""}
    return {"index": index, "offset": committed.offset, "metadata": committed.metadata}


async def list_groups(call: Call) -> Message:
    groups = call.state.groups
    return {
        "groups": [
            {"group_id": name, "protocol_type": groups[name].protocol_type if name in groups else "consumer"}
            for name in call.state.group_names()
        ]
    }


async def describe_groups(call: Call) -> Message:
    return {"groups": [_describe_group(call.state, name) for name in call.body["groups"] or []]}


def _describe_group(state: State, name: str) -> Message:
    if name not in state.group_names():
        return {"group_id": name, "state": GroupState.DEAD, "protocol_type": "", "protocol": ""}
    group = state.groups.get(name, Group(name))
    return {
        "group_id": name,
        "state": group.state,
        "protocol_type": group.protocol_type or "consumer",
        "protocol": group.protocol,
        "members": _describe_members(group),
    }


def _describe_members(group: Group) -> list[Message]:
    return [
        {
            "member_id": member.member_id,
            "group_instance_id": member.instance_id,
            "client_id": member.client_id,
            "client_host": member.client_host,
            "metadata": member.protocols.get(group.protocol, b""),
            "assignment": member.assignment,
        }
        for member in group.members.values()
    ]


async def delete_groups(call: Call) -> Message:
    def delete(name: str) -> None:
        if name not in call.state.group_names():
            raise Refused(Code.GROUP_ID_NOT_FOUND)
        if name in call.state.groups and call.state.groups[name].members:
            raise Refused(Code.NON_EMPTY_GROUP)
        call.state.groups.pop(name, None)
        call.state.offsets.forget(group=name)

    names = call.body["groups"] or []
    return {"results": [{"group_id": name, **_tried(partial(delete, name))} for name in names]}


async def offset_delete(call: Call) -> Message:
    name = call.body["group_id"]
    if name not in call.state.group_names():
        return {"error_code": Code.GROUP_ID_NOT_FOUND}
    group = call.state.groups.get(name, Group(name))
    gone: list[Position] = []

    def delete(topic: str, entry: Message) -> Message:
        if group.is_subscribed(topic):
            raise Refused(Code.GROUP_SUBSCRIBED_TO_TOPIC)
        call.state.topics.log(topic, entry["index"])
        position = Position(name, topic, entry["index"])
        if position in call.state.offsets.committed:
            gone.append(position)
        return {}

    answer = {"topics": per_partition(call, delete)}
    call.state.offsets.forget_positions(gone)
    return answer


HANDLERS: dict[int, Handler] = {
    wire.PRODUCE.key: produce,
    wire.FETCH.key: fetch,
    wire.LIST_OFFSETS.key: list_offsets,
    wire.METADATA.key: metadata,
    wire.OFFSET_COMMIT.key: offset_commit,
    wire.OFFSET_FETCH.key: offset_fetch,
    wire.FIND_COORDINATOR.key: find_coordinator,
    wire.JOIN_GROUP.key: join_group,
    wire.HEARTBEAT.key: heartbeat,
    wire.LEAVE_GROUP.key: leave_group,
    wire.SYNC_GROUP.key: sync_group,
    wire.DESCRIBE_GROUPS.key: describe_groups,
    wire.LIST_GROUPS.key: list_groups,
    wire.API_VERSIONS.key: api_versions,
    wire.CREATE_TOPICS.key: create_topics,
    wire.DELETE_TOPICS.key: delete_topics,
    wire.DELETE_RECORDS.key: delete_records,
    wire.DESCRIBE_ACLS.key: describe_acls,
    wire.CREATE_ACLS.key: create_acls,
    wire.DELETE_ACLS.key: delete_acls,
    wire.OFFSET_DELETE.key: offset_delete,
    wire.INIT_PRODUCER_ID.key: init_producer_id,
    wire.DESCRIBE_CONFIGS.key: describe_configs,
    wire.ALTER_CONFIGS.key: alter_configs,
    wire.CREATE_PARTITIONS.key: create_partitions,
    wire.DELETE_GROUPS.key: delete_groups,
    wire.INCREMENTAL_ALTER_CONFIGS.key: incremental_alter_configs,
}
