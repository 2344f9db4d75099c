"""The product on a Kafka from outside: the supervisor starts none, and uses that one for everything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fenta.contracts.topics import all_topics
from fenta.embedded.supervisor import Stack
from tests.broker.test_topics import described
from tests.support.kafka import RealKafka

ROOT = Path(__file__).parents[2]
FAKE = str(ROOT / "tests" / "embedded" / "fake_service.py")


def test_a_stack_runs_on_a_real_kafka_that_it_did_not_start(real_kafka: RealKafka, tmp_path: Path) -> None:
    caller = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": real_kafka.servers, "KAFKA_PARTITIONS_MAX": "2"}
    command = lambda service: [sys.executable, FAKE, service]  # noqa: E731
    with Stack(tmp_path, services=("billing",), command=command, caller=caller, gateway_port=0) as stack:
        assert set(stack.pids()) == {"postgres", "objectstore", "billing"}
        seen = json.loads((tmp_path / "billing.environment").read_text())
        assert seen["KAFKA_BOOTSTRAP_SERVERS"] == real_kafka.servers
        for topic in all_topics():
            partitions, replicas, settings = described(real_kafka, topic.name)
            assert (partitions, replicas) == (min(2, topic.partitions), real_kafka.replication)
            assert settings["retention.ms"] == str(topic.retention_ms)
    assert real_kafka.nodes[0].alive
    real_kafka.wipe()


@pytest.mark.parametrize(
    ("given", "environment"), [(["KAFKA=h1:9092,h2:9092"], "KAFKA_BOOTSTRAP_SERVERS='h1:9092,h2:9092' "), ([], "")]
)
def test_make_up_hands_the_address_on(given: list[str], environment: str) -> None:
    asked = ["make", "--dry-run", "--no-print-directory", "--assume-old=.venv/.ready", "up", *given]
    # These tests may themselves be run by make, which hands its own options on.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    shown = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == f"{environment}.venv/bin/fenta up"
