"""A broker as Kafka's own Java tools see it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka import run_tool, skip_without_java
from tests.support.speech import make_topic
from tests.support.verifiable import TOOLS, Judges, acknowledged, assert_no_gap, consumed, judges

COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
Tool = Callable[..., str]
Eventually = Callable[..., None]


@pytest.fixture(autouse=True)
def tools_are_there() -> None:
    skip_without_java()


@pytest.fixture
def tool(broker: Any) -> Tool:
    """`tool("TopicCommand", "--list")` asks the broker under test and answers what was printed."""

    def run(program: str, *arguments: str, text: str = "") -> str:
        return run_tool(f"{TOOLS}.{program}", "--bootstrap-server", broker.servers, *arguments, text=text)

    return run


@pytest.fixture
def judge(broker: Any, tmp_path: Path) -> Iterator[Judges]:
    with judges(broker.servers, tmp_path / "judges") as made:
        yield made


def test_the_topic_tool_makes_shows_grows_and_deletes(broker: Any, tool: Tool) -> None:
    made = ("--topic", "t", "--partitions", "2", "--replication-factor", str(broker.replication))
    assert "Created topic t" in tool("TopicCommand", "--create", *made, "--config", "retention.ms=600000")
    assert "t" in tool("TopicCommand", "--list").split()
    tool("TopicCommand", "--alter", "--topic", "t", "--partitions", "5")
    shown = tool("TopicCommand", "--describe", "--topic", "t")
    assert "PartitionCount: 5" in shown
    assert "retention.ms=600000" in shown
    assert len(re.findall(r"Leader: \d", shown)) == 5
    tool("TopicCommand", "--delete", "--topic", "t")
    assert "t" not in tool("TopicCommand", "--list").split()


def test_the_configuration_tool_shows_and_changes_settings(broker: Any) -> None:
    make_topic(broker.servers, "t", replication=broker.replication)

    def config(*arguments: str) -> str:
        entity = ("--entity-type", "topics", "--entity-name", "t")
        return run_tool("kafka.admin.ConfigCommand", "--bootstrap-server", broker.servers, *entity, *arguments)

    assert "Completed" in config("--alter", "--add-config", "retention.ms=700000,max.message.bytes=5000")
    assert {"retention.ms=700000", "max.message.bytes=5000"} <= set(config("--describe").split())
    assert "Completed" in config("--alter", "--delete-config", "retention.ms")
    assert "retention.ms" not in config("--describe")


def test_text_goes_through_with_its_key_and_headers(broker: Any, tool: Tool) -> None:
    make_topic(broker.servers, "t", 3, broker.replication)
    parsing = ("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
    tool("ConsoleProducer", "--topic", "t", *parsing, text="colour:blue\tsky\tit is blue\n")
    printing = ("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
    read = ("--group", "g", "--from-beginning", "--max-messages", "1", "--timeout-ms", "30000")
    assert "colour:blue\tsky\tit is blue" in tool("consumer.ConsoleConsumer", "--topic", "t", *read, *printing)


def test_the_group_tool_shows_resets_and_deletes(broker: Any, tool: Tool, judge: Judges) -> None:
    make_topic(broker.servers, "t", 1, broker.replication)
    assert judge.produce("t", 20).ended() == 0
    assert judge.consume("t", "g", "--max-messages", "15").ended() == 0

    def group(*arguments: str) -> list[list[str]]:
        shown = tool("consumer.group.ConsumerGroupCommand", *arguments, "--group", "g")
        return [line.split() for line in shown.splitlines() if line.startswith(("g ", "t "))]

    assert group("--describe")[0][2:6] == ["0", "15", "20", "5"], "partition, position, end, lag"
    assert "g" in tool("consumer.group.ConsumerGroupCommand", "--list").split()
    group("--reset-offsets", "--to-offset", "3", "--topic", "t", "--execute")
    assert group("--describe")[0][3:6] == ["3", "20", "17"]
    assert group("--delete-offsets", "--topic", "t") == [["t", "0", "Successful"]]
    group("--reset-offsets", "--to-earliest", "--topic", "t", "--execute")
    group("--delete")
    assert "g" not in tool("consumer.group.ConsumerGroupCommand", "--list").split()


@pytest.mark.long
def test_speed_and_offsets_are_measured(broker: Any, tool: Tool, tmp_path: Path) -> None:
    make_topic(broker.servers, "t", 3, broker.replication)
    sent = ("--num-records", "5000", "--record-size", "1024", "--throughput", "-1", "--command-property", "acks=all")
    assert "5000 records sent" in tool("ProducerPerformance", "--topic", "t", *sent)
    offsets = dict(line.rsplit(":", 1) for line in tool("GetOffsetShell", "--topic", "t").split())
    assert sum(map(int, offsets.values())) == 5000
    measured = tool("ConsumerPerformance", "--topic", "t", "--num-records", "5000", "--timeout", "30000")
    assert measured.splitlines()[-1].split(", ")[4] == "5000"
    told = tool(
        "EndToEndLatency", "--topic", "t", "--num-records", "50", "--producer-acks", "all", "--record-size", "9"
    )
    assert "99th" in told
    order = tmp_path / "order.json"
    order.write_text('{"partitions": [{"topic": "t", "partition": 0, "offset": 1}], "version": 1}')
    assert "low_watermark: 1" in tool("DeleteRecordsCommand", "--offset-json-file", str(order))


def test_every_interface_of_the_broker_is_understood(tool: Tool) -> None:
    shown = tool("BrokerApiVersionsCommand")
    usable = re.findall(r"(\w+)\(\d+\): [^\[]*\[usable: \d+\]", shown)
    wanted = {
        "Produce",
        "Fetch",
        "ListOffsets",
        "Metadata",
        "OffsetCommit",
        "JoinGroup",
        "CreateTopics",
        "DeleteRecords",
    }
    assert wanted <= set(usable)


def test_all_that_is_acknowledged_is_read_although_the_broker_is_killed(
    broker: Any, tool: Tool, judge: Judges, eventually: Eventually
) -> None:
    make_topic(broker.servers, "t", 3, broker.replication)
    consumer = judge.consume("t", "g")
    producer = judge.produce("t", 2000, per_second=500)
    producer.until("producer_send_success", 400)
    broker.kill()
    broker.start()
    assert producer.ended() == 0, producer.said()
    assert acknowledged(producer) == sorted(f"0.{number}" for number in range(2000))
    eventually(lambda: set(consumed(consumer)) == set(acknowledged(producer)))
    assert_no_gap(consumer)
    offsets = [line.rsplit(":", 1)[1] for line in tool("GetOffsetShell", "--topic", "t").split()]
    assert sum(map(int, offsets)) == 2000, "each is stored once"


@pytest.mark.long
@pytest.mark.parametrize("strategy", [COOPERATIVE, "org.apache.kafka.clients.consumer.RangeAssignor"])
def test_a_killed_member_is_replaced_and_nothing_is_lost(
    broker: Any, judge: Judges, eventually: Eventually, strategy: str
) -> None:
    make_topic(broker.servers, "t", 4, broker.replication)
    options = ("--assignment-strategy", strategy, "--session-timeout", "6000")
    members = [judge.consume("t", "g", *options) for _ in range(2)]
    for member in members:
        member.until("partitions_assigned")
    producer = judge.produce("t", 3000, per_second=1000)
    producer.until("producer_send_success", 500)
    members[0].kill()
    assert producer.ended() == 0, producer.said()
    assert len(acknowledged(producer)) == 3000
    eventually(lambda: set(acknowledged(producer)) <= set(consumed(*members)))
    assert consumed(members[1]) == sorted(set(consumed(members[1]))), "the one that stayed read nothing twice"


def test_the_second_of_one_name_fences_the_first(broker: Any, judge: Judges) -> None:
    make_topic(broker.servers, "t", 2, broker.replication)
    first = judge.consume("t", "g", "--group-instance-id", "g.0")
    first.until("partitions_assigned")
    second = judge.consume("t", "g", "--group-instance-id", "g.0")
    second.until("partitions_assigned")
    first.ended()
    assert "FencedInstanceIdException" in first.said()
    assert second.process.poll() is None
