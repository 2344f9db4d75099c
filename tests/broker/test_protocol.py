"""A broker spoken to by hand: what it answers to what no good client asks, and in the versions that old ones speak."""

import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from fenta.embedded.broker import wire
from fenta.embedded.broker.errors import Code
from fenta.embedded.broker.wire import Message
from tests.support.records import batch
from tests.support.speech import Connection, make_topic, speaking, with_coordinator, with_leader


@pytest.fixture
def leader(broker: Any) -> Iterator[Connection]:
    """Of the topic `t`, which has one partition."""
    make_topic(broker.servers, "t", replication=broker.replication, max_message_bytes="2000", retention_ms="-1")
    with with_leader(broker.servers, "t") as connection:
        yield connection


def produce(leader: Connection, records: bytes, *, topic: str = "t", index: int = 0, acks: int = -1) -> Message:
    partition = {"index": index, "records": records}
    body = {"acks": acks, "timeout_ms": 10_000, "topics": [{"name": topic, "partitions": [partition]}]}
    return dict(leader.ask(wire.PRODUCE, 7, body)["topics"][0]["partitions"][0])


def refusal(leader: Connection, records: bytes, **options: Any) -> int:
    answer = produce(leader, records, **options)
    assert answer["base_offset"] == -1 or not answer["error_code"]
    return int(answer["error_code"])


# Records


def new_producer(connection: Connection) -> Message:
    """Kafka fetches its ids in blocks, and asks for patience meanwhile."""
    while (answer := connection.ask(wire.INIT_PRODUCER_ID, 1, {"timeout_ms": 1000}))["error_code"] == 14:
        time.sleep(0.05)
    assert answer["error_code"] == 0
    return answer


def test_a_resent_batch_is_stored_once_and_a_gap_is_refused(leader: Connection) -> None:
    producer = new_producer(leader)["producer_id"]
    sent = [batch(b"x", b"y", producer=producer, epoch=0, sequence=2 * number) for number in range(4)]
    assert [produce(leader, data)["base_offset"] for data in sent] == [0, 2, 4, 6]
    assert [produce(leader, data)["base_offset"] for data in sent] == [0, 2, 4, 6]
    assert refusal(leader, batch(b"z", producer=producer, epoch=0, sequence=9)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce(leader, batch(b"z", producer=producer, epoch=0, sequence=8))["base_offset"] == 8
    assert produce(leader, batch(b"z", producer=producer, epoch=1, sequence=0))["base_offset"] == 9
    assert refusal(leader, batch(b"z", producer=producer, epoch=0, sequence=9)) == Code.INVALID_PRODUCER_EPOCH
    assert refusal(leader, batch(b"z", producer=producer, epoch=2, sequence=5)) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_only_the_last_five_batches_are_known_again(leader: Connection) -> None:
    sent = [batch(b"x", producer=1 << 40, epoch=0, sequence=number) for number in range(8)]
    for data in sent:
        produce(leader, data)
    assert produce(leader, sent[3])["base_offset"] == 3
    assert refusal(leader, sent[0]) in (Code.DUPLICATE_SEQUENCE_NUMBER, Code.OUT_OF_ORDER_SEQUENCE_NUMBER)
    assert end(leader) == 8


def test_producer_ids_are_never_given_twice(leader: Connection) -> None:
    given = [new_producer(leader) for _ in range(20)]
    assert len({answer["producer_id"] for answer in given}) == 20
    assert {answer["producer_epoch"] for answer in given} == {0}


BROKEN = bytearray(batch(b"x"))
BROKEN[-1] ^= 1


@pytest.mark.parametrize(
    ("records", "codes"),
    [
        (bytes(BROKEN), {Code.CORRUPT_MESSAGE}),
        (batch(b"x" * 3000), {Code.MESSAGE_TOO_LARGE}),
        (batch(b"x") * 2, {Code.INVALID_RECORD}),
    ],
    ids=["wrong checksum", "too large", "two batches"],
)
def test_what_is_no_sound_batch_is_refused(leader: Connection, records: bytes, codes: set[int]) -> None:
    assert refusal(leader, records) in codes
    assert end(leader) == 0
    assert produce(leader, batch(b"well"))["base_offset"] == 0


def test_what_cannot_be_stored_is_refused(leader: Connection) -> None:
    unknown = {Code.UNKNOWN_TOPIC_OR_PARTITION}
    assert refusal(leader, batch(b"x"), topic="other") in unknown
    assert refusal(leader, batch(b"x"), index=7) in unknown
    assert refusal(leader, batch(b"x"), acks=2) == Code.INVALID_REQUIRED_ACKS


def test_without_acks_there_is_no_answer_and_the_record_is_stored(
    leader: Connection, eventually: Callable[..., None]
) -> None:
    partition = {"index": 0, "records": batch(b"quiet")}
    shape = wire.Struct(wire.PRODUCE.request, 7)
    body = shape.encode({"acks": 0, "timeout_ms": 1000, "topics": [{"name": "t", "partitions": [partition]}]})
    frame = struct.pack(">hhi", 0, 7, 99) + wire.STRING.encode("by hand") + body
    leader.socket.sendall(struct.pack(">i", len(frame)) + frame)
    # The next answer belongs to the next request.
    eventually(lambda: end(leader) == 1)


def fetch(leader: Connection, offset: int, *, max_bytes: int = 1 << 20, wait_ms: int = 0, index: int = 0) -> Message:
    partition = {"index": index, "current_leader_epoch": -1, "fetch_offset": offset, "max_bytes": max_bytes}
    body = {
        "replica_id": -1,
        "max_wait_ms": wait_ms,
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "session_epoch": -1,
        "topics": [{"name": "t", "partitions": [partition]}],
        "rack_id": "",
    }
    return dict(leader.ask(wire.FETCH, 11, body)["topics"][0]["partitions"][0])


def values(records: bytes) -> list[tuple[int, bytes]]:
    found, batches = [], MemoryRecords(records)
    while (one := batches.next_batch()) is not None:
        found += [(record.offset, bytes(record.value)) for record in one]
    return found


def offset_at(leader: Connection, timestamp: int) -> Message:
    partition = {"index": 0, "timestamp": timestamp}
    body = {"replica_id": -1, "topics": [{"name": "t", "partitions": [partition]}]}
    return dict(leader.ask(wire.LIST_OFFSETS, 2, body)["topics"][0]["partitions"][0])


def end(leader: Connection) -> int:
    return int(offset_at(leader, -1)["offset"])


def test_fetching_tells_records_and_bounds(leader: Connection) -> None:
    for number in range(5):
        produce(leader, batch(b"%d" % number))
    found = fetch(leader, 2)
    assert values(found["records"]) == [(2, b"2"), (3, b"3"), (4, b"4")]
    assert (found["high_watermark"], found["last_stable_offset"], found["log_start_offset"]) == (5, 5, 0)
    assert values(fetch(leader, 2, max_bytes=1)["records"]) == [(2, b"2")], "one batch comes however small the limit"
    assert fetch(leader, 5)["records"] in (b"", None)
    assert fetch(leader, 6)["error_code"] == Code.OFFSET_OUT_OF_RANGE
    assert fetch(leader, 0, index=3)["error_code"] == Code.UNKNOWN_TOPIC_OR_PARTITION


def test_a_fetch_waits_for_the_next_record(broker: Any, leader: Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, leader, 0, wait_ms=30_000)
        with with_leader(broker.servers, "t") as other:
            produce(other, batch(b"news"))
        assert values(waiting.result(20)["records"]) == [(0, b"news")]


def test_offsets_by_time(leader: Connection) -> None:
    for second in (1, 2, 3):
        produce(leader, batch(b"a", b"b", time_ms=second * 1000))
    assert [offset_at(leader, time_ms)["offset"] for time_ms in (0, 1000, 1001, 3000, 3001)] == [0, 0, 2, 4, -1]
    assert offset_at(leader, 1001)["timestamp"] == 2000
    assert [offset_at(leader, special)["offset"] for special in (-1, -2)] == [6, 0]


def test_records_can_be_deleted_from_the_front(broker: Any, leader: Connection) -> None:
    for number in range(6):
        produce(leader, batch(b"%d" % number, time_ms=1000 * number))

    def delete(offset: int) -> Message:
        topic = {"name": "t", "partitions": [{"index": 0, "offset": offset}]}
        answer = leader.ask(wire.DELETE_RECORDS, 1, {"topics": [topic], "timeout_ms": 10_000})
        return dict(answer["topics"][0]["partitions"][0])

    assert delete(4) == {"index": 0, "low_watermark": 4, "error_code": 0}
    assert (offset_at(leader, -2)["offset"], offset_at(leader, 0)["offset"]) == (4, 4)
    assert fetch(leader, 3)["error_code"] == Code.OFFSET_OUT_OF_RANGE
    assert values(fetch(leader, 4)["records"]) == [(4, b"4"), (5, b"5")]
    assert delete(9)["error_code"] == Code.OFFSET_OUT_OF_RANGE
    assert delete(-1)["low_watermark"] == 6
    assert produce(leader, batch(b"next"))["base_offset"] == 6


def test_deleted_records_stay_deleted_after_a_restart(broker: Any) -> None:
    make_topic(broker.servers, "t", replication=broker.replication)
    with with_leader(broker.servers, "t") as leader:
        for number in range(3):
            produce(leader, batch(b"%d" % number))
        topic = {"name": "t", "partitions": [{"index": 0, "offset": 2}]}
        leader.ask(wire.DELETE_RECORDS, 1, {"topics": [topic], "timeout_ms": 10_000})
    broker.stop()
    broker.start()
    with with_leader(broker.servers, "t") as leader:
        assert offset_at(leader, -2)["offset"] == 2
        assert values(fetch(leader, 2)["records"]) == [(2, b"2")]


# Groups

SUBSCRIPTION = b"\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff"


@pytest.fixture
def coordinator(broker: Any) -> Iterator[Callable[[], Connection]]:
    """New connections to the coordinator of the group `g`, since a waiting member occupies its own."""
    make_topic(broker.servers, "t", replication=broker.replication)
    managers: list[Any] = []

    def connect() -> Connection:
        managers.append(with_coordinator(broker.servers, "g"))
        return managers[-1].__enter__()

    yield connect
    for manager in managers:
        manager.__exit__(None, None, None)


def join(connection: Connection, member: str = "", instance: str | None = None, **changed: Any) -> Message:
    body = {
        "group_id": "g",
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 10_000,
        "member_id": member,
        "group_instance_id": instance,
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": SUBSCRIPTION}],
    }
    return connection.ask(wire.JOIN_GROUP, 5, {**body, **changed})


def enter(connection: Connection, instance: str | None = None) -> Message:
    """As a client does it: ask for an id, join under it, share out."""
    answer = join(connection, instance=instance)
    if answer["error_code"] == Code.MEMBER_ID_REQUIRED:
        answer = join(connection, answer["member_id"])
    assert answer["error_code"] == 0, answer
    assert sync(connection, answer, instance)["error_code"] == 0
    return answer


def saying(member: Message, instance: str | None = None, **more: Any) -> Message:
    identity = {"member_id": member["member_id"], "generation_id": member["generation_id"]}
    return {"group_id": "g", **identity, "group_instance_id": instance, **more}


def sync(connection: Connection, member: Message, instance: str | None = None) -> Message:
    shares = [{"member_id": one["member_id"], "assignment": b"share"} for one in member["members"]]
    return connection.ask(wire.SYNC_GROUP, 3, saying(member, instance, assignments=shares))


def heartbeat(connection: Connection, said: Message) -> int:
    return int(connection.ask(wire.HEARTBEAT, 3, said)["error_code"])


def commit(connection: Connection, said: Message, offset: int = 1) -> int:
    topics = [{"name": "t", "partitions": [{"index": 0, "offset": offset, "leader_epoch": -1, "metadata": "note"}]}]
    answer = connection.ask(wire.OFFSET_COMMIT, 7, {**said, "topics": topics})
    return int(answer["topics"][0]["partitions"][0]["error_code"])


def committed(connection: Connection) -> tuple[int, str | None]:
    answer = connection.ask(wire.OFFSET_FETCH, 5, {"group_id": "g", "topics": [{"name": "t", "partitions": [0]}]})
    found = answer["topics"][0]["partitions"][0]
    return found["offset"], found["metadata"]


def test_an_unknown_client_is_told_its_id_before_it_counts(coordinator: Callable[[], Connection]) -> None:
    connection = coordinator()
    told = join(connection)
    assert told["error_code"] == Code.MEMBER_ID_REQUIRED
    assert join(connection, "made-up")["error_code"] == Code.UNKNOWN_MEMBER_ID
    member = join(connection, told["member_id"])
    assert (member["error_code"], member["member_id"]) == (0, told["member_id"])
    assert member["leader"] == member["member_id"]


def test_a_stranger_and_a_zombie_are_told_so(coordinator: Callable[[], Connection]) -> None:
    connection = coordinator()
    member = enter(connection)
    assert heartbeat(connection, saying(member)) == 0
    stranger = {**saying(member), "member_id": "made-up"}
    assert heartbeat(connection, stranger) == Code.UNKNOWN_MEMBER_ID
    assert commit(connection, stranger) == Code.UNKNOWN_MEMBER_ID
    zombie = {**saying(member), "generation_id": member["generation_id"] - 1}
    assert heartbeat(connection, zombie) == Code.ILLEGAL_GENERATION
    assert commit(connection, zombie) == Code.ILLEGAL_GENERATION
    assert commit(connection, saying(member), 7) == 0
    assert committed(connection) == (7, "note")


def test_nobody_commits_past_the_members_of_a_group(coordinator: Callable[[], Connection]) -> None:
    connection = coordinator()
    outsider = {"group_id": "g", "member_id": "", "generation_id": -1, "group_instance_id": None}
    assert commit(connection, outsider, 3) == 0
    member = enter(connection)
    assert commit(connection, outsider, 4) == Code.UNKNOWN_MEMBER_ID
    leave(connection, member["member_id"])
    assert commit(connection, outsider, 5) == 0
    assert committed(connection) == (5, "note")


def leave(connection: Connection, member: str, instance: str | None = None) -> int:
    members = [{"member_id": member, "group_instance_id": instance}]
    answer = connection.ask(wire.LEAVE_GROUP, 3, {"group_id": "g", "members": members})
    return int(answer["error_code"] or answer["members"][0]["error_code"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"session_timeout_ms": 0}, Code.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 1 << 30}, Code.INVALID_SESSION_TIMEOUT),
        ({"group_id": ""}, Code.INVALID_GROUP_ID),
        ({"protocols": []}, Code.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_a_group_cannot_be_joined_anyhow(
    coordinator: Callable[[], Connection], changed: dict[str, Any], code: Code
) -> None:
    assert join(coordinator(), **changed)["error_code"] == code


def test_all_members_share_a_protocol(coordinator: Callable[[], Connection]) -> None:
    enter(coordinator(), "a")
    other = coordinator()
    unknown = [{"name": "unheard-of", "metadata": SUBSCRIPTION}]
    assert join(other, instance="b", protocols=unknown)["error_code"] == Code.INCONSISTENT_GROUP_PROTOCOL
    assert join(other, instance="b", protocol_type="connect")["error_code"] == Code.INCONSISTENT_GROUP_PROTOCOL


def test_a_second_member_makes_the_first_join_again(coordinator: Callable[[], Connection]) -> None:
    first, second = coordinator(), coordinator()
    one = enter(first)
    told = join(second)
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(join, second, told["member_id"])
        while (code := heartbeat(first, saying(one))) == 0:
            time.sleep(0.01)
        assert code == Code.REBALANCE_IN_PROGRESS
        assert commit(first, saying(one), 9) == 0, "the old generation may commit until it ends"
        again = join(first, one["member_id"])
        two = joining.result(20)
        assert again["generation_id"] == two["generation_id"] == one["generation_id"] + 1
        assert heartbeat(first, saying(one)) == Code.ILLEGAL_GENERATION
        assert commit(first, saying(again)) == Code.REBALANCE_IN_PROGRESS, "nobody knows its share yet"
        leader, follower = (again, two) if again["members"] else (two, again)
        connections = {again["member_id"]: first, two["member_id"]: second}
        waiting = pool.submit(sync, connections[follower["member_id"]], follower)
        assert sync(connections[leader["member_id"]], leader)["error_code"] == 0
        assert waiting.result(20) == {"throttle_time_ms": 0, "error_code": 0, "assignment": b"share"}


def test_a_static_member_comes_back_without_a_rebalance_and_fences_its_ghost(
    coordinator: Callable[[], Connection],
) -> None:
    connection = coordinator()
    before = enter(connection, "a")
    back = join(connection, instance="a")
    assert back["error_code"] == 0
    assert back["generation_id"] == before["generation_id"]
    assert back["member_id"] != before["member_id"]
    assert heartbeat(connection, saying(before, "a")) == Code.FENCED_INSTANCE_ID
    assert commit(connection, saying(before, "a")) == Code.FENCED_INSTANCE_ID
    assert join(connection, before["member_id"], "a")["error_code"] == Code.FENCED_INSTANCE_ID
    assert sync(connection, before, "a")["error_code"] == Code.FENCED_INSTANCE_ID
    assert leave(connection, before["member_id"], "a") == Code.FENCED_INSTANCE_ID
    assert sync(connection, back, "a")["error_code"] == 0
    assert heartbeat(connection, saying(back, "a")) == 0
    assert leave(connection, "", "a") == 0, "an operator removes it by its name"
    assert leave(connection, "", "a") == Code.UNKNOWN_MEMBER_ID


def test_a_static_member_that_comes_back_for_other_topics_gets_its_old_share(
    coordinator: Callable[[], Connection],
) -> None:
    connection = coordinator()
    before = enter(connection, "a")
    others = [{"name": "range", "metadata": SUBSCRIPTION.replace(b"t", b"u")}]
    back = join(connection, instance="a", protocols=others)
    assert back["generation_id"] == before["generation_id"]
    assert back["leader"] != back["member_id"], "it must not share out anew"
    assert sync(connection, back, "a")["assignment"] == b"share"
    assert leave(connection, back["member_id"]) == 0, "this way it asks for another one"
    assert join(connection, instance="a", protocols=others)["generation_id"] > before["generation_id"]


def test_another_way_of_sharing_out_is_a_reason_to_do_it(coordinator: Callable[[], Connection]) -> None:
    connection = coordinator()
    before = enter(connection, "a")
    both = [{"name": name, "metadata": SUBSCRIPTION} for name in ("roundrobin", "range")]
    assert join(connection, instance="a", protocols=both[:1])["error_code"] == Code.INCONSISTENT_GROUP_PROTOCOL
    back = join(connection, instance="a", protocols=both)
    assert back["generation_id"] == before["generation_id"] + 1
    assert back["protocol_name"] == "roundrobin"


def test_positions_are_deleted_unless_somebody_reads(coordinator: Callable[[], Connection]) -> None:
    connection = coordinator()

    def delete() -> int:
        body = {"group_id": "g", "topics": [{"name": "t", "partitions": [{"index": 0}]}]}
        answer = connection.ask(wire.OFFSET_DELETE, 0, body)
        return int(answer["error_code"] or answer["topics"][0]["partitions"][0]["error_code"])

    assert delete() == Code.GROUP_ID_NOT_FOUND
    member = enter(connection)
    assert commit(connection, saying(member)) == 0
    assert delete() == Code.GROUP_SUBSCRIBED_TO_TOPIC
    assert delete_group(connection) == Code.NON_EMPTY_GROUP
    leave(connection, member["member_id"])
    assert delete() == 0
    assert committed(connection)[0] == -1
    assert delete_group(connection) in (0, Code.GROUP_ID_NOT_FOUND)
    assert delete_group(connection) == Code.GROUP_ID_NOT_FOUND


def delete_group(connection: Connection) -> int:
    return int(connection.ask(wire.DELETE_GROUPS, 1, {"groups": ["g"]})["results"][0]["error_code"])


# Versions


def test_an_unknown_version_of_api_versions_is_answered_in_version_0(broker: Any) -> None:
    with speaking(broker.servers.split(",")[0]) as connection:
        answer = connection.exchange(struct.pack(">hhih", 18, 99, 77, -1) + b"\x00")
        correlation, code, count = struct.unpack_from(">ihi", answer)
        assert (correlation, code) == (77, Code.UNSUPPORTED_VERSION)
        assert count >= 1
        ranges = list(struct.iter_unpack(">hhh", answer[10 : 10 + 6 * count]))
        assert 18 in {key for key, _, _ in ranges}
        # The connection goes on with a version from that list.
        assert connection.ask(wire.API_VERSIONS, 0, {})["error_code"] == 0


@pytest.mark.parametrize(("key", "version"), [(3, 99), (0, 0), (999, 0), (1, -1)])
def test_any_other_unknown_version_ends_the_connection(broker: Any, key: int, version: int) -> None:
    with speaking(broker.servers.split(",")[0]) as connection:
        assert connection.exchange(struct.pack(">hhih", key, version, 1, -1) + b"\x00" * 8) == b""
    with speaking(broker.servers.split(",")[0]) as connection:
        assert connection.ask(wire.API_VERSIONS, 0, {})["error_code"] == 0


def test_everything_offered_is_offered_by_kafka_too(broker: Any) -> None:
    """A client that knows only the real one finds a version that both speak, for each API."""
    with speaking(broker.servers.split(",")[0]) as connection:
        offered = {one["key"]: one for one in connection.ask(wire.API_VERSIONS, 0, {})["apis"]}
    for api in wire.APIS.values():
        assert offered[api.key]["minimum"] <= api.maximum, api.name
        assert offered[api.key]["maximum"] >= api.minimum, api.name


def test_access_control_is_off(broker: Any) -> None:
    anything = {"resource_type": 1, "pattern_type": 1, "operation": 1, "permission": 1}
    with speaking(broker.servers.split(",")[0]) as connection:
        described = connection.ask(wire.DESCRIBE_ACLS, 1, anything)
        removed = connection.ask(wire.DELETE_ACLS, 1, {"filters": [anything]})
    assert described["error_code"] == Code.SECURITY_DISABLED
    assert removed["results"][0]["error_code"] == Code.SECURITY_DISABLED
