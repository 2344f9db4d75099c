"""What groups have read: committed, asked for, deleted."""

from collections.abc import Mapping
from typing import Any

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.groups import Group
from fenta.embedded.broker.offsets import Committed, Position
from fenta.embedded.broker.wire import Message

from .call import Call, per_partition, tried


async def offset_commit(call: Call) -> Message:
    group = call.body["group_id"]
    refused = tried(lambda: _check_commit(call))
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
