"""A whole stack on a Kafka that it did not start, and that tests kill all the same."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fenta.embedded.supervisor import BROKER, LOCAL_PARTITIONS_MAX, Stack
from tests.support.kafka import RealKafka

OpenStack = Callable[..., Stack]


class StackOnKafka(Stack):
    """The supervisor is told of Kafka as it would be in production; what is done to the broker is done to Kafka."""

    def __init__(self, home: Path, *, kafka: RealKafka, **options: Any) -> None:
        self._kafka = kafka
        self._revival: threading.Thread | None = None
        caller = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.servers,
            "KAFKA_REPLICATION_FACTOR": str(kafka.replication),
            "KAFKA_PARTITIONS_MAX": str(LOCAL_PARTITIONS_MAX),
        }
        super().__init__(home, caller=caller, **options)

    def kill(self, name: str, *, stay_down: bool = False) -> None:
        if name != BROKER:
            super().kill(name, stay_down=stay_down)
            return
        self._kafka.kill()
        if not stay_down:
            self._revival = threading.Thread(target=self._kafka.start)
            self._revival.start()

    def restart(self, name: str) -> None:
        if name != BROKER:
            super().restart(name)
            return
        self._kafka.stop()
        self._kafka.start()

    def stop(self) -> None:
        """The next stack finds Kafka empty."""
        super().stop()
        if self._revival is not None:
            self._revival.join()
        self._kafka.wipe()
