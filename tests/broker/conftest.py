"""One suite for both brokers: the embedded one in `make test`, a real Apache Kafka in `make test-kafka`."""

import time
from collections.abc import Callable

import pytest

from tests.conftest import AnyBroker


@pytest.fixture
def broker(own_broker: AnyBroker) -> AnyBroker:
    """Without topics and groups; it may be killed."""
    return own_broker


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Polls a condition until it holds; fails after `seconds`."""

    def wait(condition: Callable[[], object], *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)

    return wait
