"""What the embedded broker does otherwise than Kafka, and what it refuses."""

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from fenta.embedded.broker import wire
from tests.broker.clients import create, producing
from tests.support.kafka import skip_without_java
from tests.support.speech import make_topic, speaking
from tests.support.verifiable import judges
from tools.documents import ROOT


async def test_topics_are_created_by_asking_when_told_so(run_broker: Callable[..., Any]) -> None:
    broker = run_broker("--auto-create-topics")
    async with producing(broker) as producer:
        assert (await producer.send_and_wait("anything", b"here")).offset == 0


async def test_transactions_are_refused_at_once(broker: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.servers, transactional_id="t")
    with pytest.raises(Exception, match="TransactionalIdAuthorizationFailed"):
        await producer.start()
    await producer.stop()


@pytest.mark.parametrize(
    "configs", [{"cleanup.policy": "compact"}, {"message.timestamp.type": "LogAppendTime"}, {"made.up": "1"}]
)
async def test_a_setting_that_would_not_be_honoured_is_refused(broker: Any, configs: dict[str, str]) -> None:
    assert (await create(broker, "t", configs=configs))[0] == 40


def test_the_page_lists_every_request_and_its_versions() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+)(?:-(\d+))? \|$", (ROOT / "docs/broker.md").read_text(), re.M)
    listed = {int(key): (name, int(first), int(last or first)) for name, key, first, last in rows}
    names = {key: "".join(word.capitalize() for word in api.name.split("_")) for key, api in wire.APIS.items()}
    assert listed == {key: (names[key], api.minimum, api.maximum) for key, api in wire.APIS.items()}


NEWER = {"ConsumerGroupHeartbeat": 68, "ShareGroupHeartbeat": 76, "StreamsGroupHeartbeat": 88, "AlterClientQuotas": 49}


@pytest.mark.parametrize("name", NEWER)
def test_what_is_not_offered_is_not_in_the_list(broker: Any, name: str) -> None:
    with speaking(broker.servers) as connection:
        offered = {one["key"] for one in connection.ask(wire.API_VERSIONS, 0, {})["apis"]}
        assert NEWER[name] not in offered
        assert connection.exchange(struct.pack(">hhih", NEWER[name], 0, 1, -1) + b"\x00") == b""


def test_a_client_of_the_newer_group_protocol_is_told_so(broker: Any, tmp_path: Path) -> None:
    skip_without_java()
    make_topic(broker.servers, "t")
    with judges(broker.servers, tmp_path / "judges") as judge:
        consumer = judge.consume("t", "g", "--group-protocol", "consumer")
        consumer.ended()
        assert "UnsupportedVersionException" in consumer.said()
