"""What the embedded broker does otherwise than Kafka, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.broker.clients import create, producing


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
