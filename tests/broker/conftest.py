"""One suite for both brokers: each test runs against the embedded one and against a real Apache Kafka."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import AnyBroker
from tests.support.broker import BrokerProcess
from tests.support.kafka import nodes_asked

BROKERS = ("real",) if nodes_asked() else ("embedded", "real")


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyBroker]:
    """Without topics and groups; it may be killed."""
    if request.param == "real":
        cluster = request.getfixturevalue("real_kafka")
        cluster.start()
        yield cluster
        cluster.wipe()
        return
    process = BrokerProcess(tmp_path / "broker")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Polls a condition until it holds; fails after `seconds`."""

    def wait(condition: Callable[[], object], *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)

    return wait
