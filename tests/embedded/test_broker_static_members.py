"""Static members: a killed process that comes back under its instance id goes on where it was; its ghost is fenced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.groups import Group, MemberIdRequired, State
from fenta.embedded.broker.wire import Message

SUBSCRIPTION = b"\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff"


def joining(instance: str | None = None, member: str = "", metadata: bytes = SUBSCRIPTION) -> Message:
    return {
        "member_id": member,
        "group_instance_id": instance,
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 10_000,
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": metadata}],
    }


async def join(group: Group, *, must_return: bool = False, **request: Any) -> Message:
    return await group.join(joining(**request), "client", "/127.0.0.1", must_return=must_return)


def saying(answer: Message, instance: str | None = None, **more: Any) -> Message:
    identity = {"member_id": answer["member_id"], "generation_id": answer["generation_id"]}
    return {**identity, "group_instance_id": instance, **more}


async def sync(group: Group, answer: Message, instance: str | None = None) -> bytes:
    entries = [
        {"member_id": member["member_id"], "assignment": b"for " + (member["group_instance_id"] or "nobody").encode()}
        for member in answer["members"]
    ]
    return await group.sync(saying(answer, instance, assignments=entries))


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Group, Message, Message]]:
    """A stable group of the static members a and b."""
    group = Group("g")
    first, second = await asyncio.gather(join(group, instance="a"), join(group, instance="b"))
    await asyncio.gather(sync(group, first, "a"), sync(group, second, "b"))
    yield group, first, second
    group.close()


async def test_a_returning_member_keeps_its_assignment_without_a_rebalance() -> None:
    async with pair() as (group, first, second):
        for before, name in ((first, "a"), (second, "b")):
            back = await join(group, instance=name)
            assert back["generation_id"] == before["generation_id"]
            assert back["member_id"] != before["member_id"]
            assert back["leader"] != back["member_id"], "it must not share out partitions anew"
            assert await sync(group, back, name) == b"for " + name.encode()
        assert group.state is State.STABLE


async def test_the_replaced_process_is_fenced() -> None:
    async with pair() as (group, first, _):
        await join(group, instance="a")
        with pytest.raises(Refused) as refusal:
            group.heartbeat(saying(first, "a"))
        assert refusal.value.code is Code.FENCED_INSTANCE_ID
        with pytest.raises(Refused) as refusal:
            await join(group, instance="a", member=first["member_id"])
        assert refusal.value.code is Code.FENCED_INSTANCE_ID
        with pytest.raises(Refused) as refusal:
            group.check_commit(saying(first))
        assert refusal.value.code is Code.UNKNOWN_MEMBER_ID


async def test_a_process_that_waits_is_fenced_by_its_successor() -> None:
    group = Group("g")
    former = asyncio.ensure_future(join(group, instance="a"))
    await asyncio.sleep(0)
    later = await join(group, instance="a")
    with pytest.raises(Refused) as refusal:
        await former
    assert refusal.value.code is Code.FENCED_INSTANCE_ID
    assert later["leader"] == later["member_id"]
    group.close()


async def test_an_unknown_client_is_told_its_id_before_it_counts() -> None:
    group = Group("g")
    with pytest.raises(MemberIdRequired) as told:
        await join(group, must_return=True)
    assert not group.members
    answer = await join(group, must_return=True, member=told.value.member_id)
    assert answer["member_id"] == told.value.member_id
    with pytest.raises(Refused) as refusal:
        await join(group, member="made-up")
    assert refusal.value.code is Code.UNKNOWN_MEMBER_ID
    group.close()


async def test_a_static_member_outlives_leaving_but_not_its_session() -> None:
    async with pair() as (group, first, second):
        group.leave("", "a")
        assert [member.instance_id for member in group.members.values()] == ["b"]
        group.members[second["member_id"]].last_seen -= 11
        group.expire()
        assert group.state is State.EMPTY
        assert first["generation_id"] < group.generation


async def test_a_killed_consumer_goes_on_at_once_over_the_wire(broker: Any) -> None:
    """The killed one is left open, as a dead process leaves it: no leave request, only silence."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    administrator = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await administrator.start()
    await administrator.create_topics([NewTopic("t", 4, 1)])
    options = {"bootstrap_servers": broker.servers, "group_id": "g", "session_timeout_ms": 20_000}
    one, two = (AIOKafkaConsumer("t", group_instance_id=name, **options) for name in ("g.0", "g.1"))
    await asyncio.gather(one.start(), two.start())
    before = one.assignment()
    group = (await administrator.describe_consumer_groups(["g"]))[0].groups[0]
    back = AIOKafkaConsumer("t", group_instance_id="g.0", **options)
    started = asyncio.get_running_loop().time()
    await back.start()
    assert asyncio.get_running_loop().time() - started < 2
    assert back.assignment() == before
    assert len(two.assignment()) == 4 - len(before)
    after = (await administrator.describe_consumer_groups(["g"]))[0].groups[0]
    assert (group[2], after[2], len(after[5])) == ("Stable", "Stable", 2)
    await asyncio.gather(one.stop(), two.stop(), back.stop(), administrator.close())
