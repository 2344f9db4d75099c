"""A Postgres and a broker for one bench, with the tables of one service, and how much CPU they used."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr

from fenta.chassis.settings import Settings
from fenta.chassis.telemetry import set_up_logging
from fenta.embedded.migrate import migrate_all
from fenta.embedded.postgres import EmbeddedPostgres
from tests.support.kafka import RealKafka
from tools.bench.bus.slow_disk import slow_sync

SERVICE = "workflow"
PASSWORD = "only-for-benches"  # noqa: S105  of a server that lives for a minute


@dataclass(frozen=True)
class Stage:
    """Where to find the two, as the service does; `postmaster` is the server's process."""

    url: str
    superuser_url: str
    servers: str
    postmaster: int
    partitions: int

    @property
    def settings(self) -> Settings:
        return self.settings_of("0")

    def settings_of(self, instance_id: str) -> Settings:
        """Of one replica."""
        return Settings(
            database_url=SecretStr(self.url), kafka_bootstrap_servers=self.servers, instance_id=instance_id,
            http_port=1, admin_port=1,
        )  # fmt: skip

    def cpu_seconds(self) -> float:
        """What this process and all of Postgres have used by now, ended backends too."""
        server = psutil.Process(self.postmaster)
        backends = sum(_seconds(child) for child in server.children())
        return float(sum(psutil.Process().cpu_times()[:2]) + sum(server.cpu_times()[:4]) + backends)


def _seconds(process: psutil.Process) -> float:
    """A backend that has just ended counts with the server that it was a child of."""
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


@contextmanager
def stage(*, slow_disk: bool = False, apache: bool = False, partitions: int = 3) -> Iterator[Stage]:
    """Both, started for the bench and stopped after it. Raises KafkaUnavailable where Apache Kafka cannot run."""
    set_up_logging(service=SERVICE, level="WARNING", environment="local")
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=("max_connections=100",))
        with slow_sync() if slow_disk else nullcontext():
            server.start()
        try:
            migrate_all(server.url, {SERVICE: PASSWORD}, services=(SERVICE,))
            with (_apache_kafka if apache else _embedded_broker)(Path(folder) / "broker") as servers:
                yield Stage(
                    f"postgresql://fenta_{SERVICE}:{PASSWORD}@127.0.0.1:{server.port}/postgres",
                    server.url,
                    servers,
                    int((server.data / "postmaster.pid").read_text().split()[0]),
                    partitions,
                )
        finally:
            server.stop()


@contextmanager
def _embedded_broker(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "fenta.embedded.broker", str(folder), "--port", "0"]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield str(json.loads(broker.stdout.readline())["bootstrap"]) if broker.stdout else ""
    finally:
        broker.terminate()
        broker.wait()


@contextmanager
def _apache_kafka(folder: Path) -> Iterator[str]:
    """One node."""
    kafka = RealKafka(folder)
    try:
        kafka.start()
        yield kafka.servers
    finally:
        kafka.stop()
