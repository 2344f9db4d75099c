"""Groups of consumers: found, joined, left, shown, deleted."""

from functools import partial

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.groups import Group, MemberIdRequired
from fenta.embedded.broker.groups import State as GroupState
from fenta.embedded.broker.state import State
from fenta.embedded.broker.wire import Message

from .call import NODE_ID, Call, tried


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
    return tried(lambda: call.state.existing_group(call.body["group_id"]).heartbeat(call.body))


async def leave_group(call: Call) -> Message:
    def leave(member: Message) -> Message:
        instance_id = member.get("group_instance_id")
        group = call.state.existing_group
        return tried(lambda: group(call.body["group_id"]).leave(member["member_id"], instance_id))

    if call.request.version < 3:
        return leave(call.body)
    return {"members": [{**member, **leave(member)} for member in call.body["members"] or []]}


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
    return {"results": [{"group_id": name, **tried(partial(delete, name))} for name in names]}
