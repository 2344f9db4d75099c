"""A real Apache Kafka (KRaft) of one or three nodes on this machine, from jars that Maven fetches once."""

import base64
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from fenta.embedded.processes import HOST, end, free_port, launch
from tests.support.speech import brokers, dismiss, until_forgotten

# The newest release of which every part is published.
VERSION = "4.3.1"
ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3"),
)
OLDEST_JAVA = 17
# The first start after a kill waits for the old registration to run out.
READY_SECONDS = 90.0
# Child processes end with the thread that started them, so one that lasts as long as the tests starts all of them.
_starter = ThreadPoolExecutor(1)

# What production has, but for one machine's replicas, short sessions, and delays that only a large cluster needs.
PROPERTIES = """
process.roles=broker,controller
node.id={number}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={data}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""


class KafkaUnavailable(Exception):
    """This machine cannot run one; the sentence says what is missing."""


@dataclass
class Node:
    """One broker that is also a controller; its ports stay the same over restarts."""

    number: int
    folder: Path
    port: int
    controller: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self) -> None:
        with self.log.open("ab") as log:
            command = java("kafka.Kafka", str(self.properties), level="INFO")
            self.process = _starter.submit(launch, command, output=log, signal=int(signal.SIGKILL)).result()

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.alive:
            self.process.send_signal(number)


class RealKafka:
    """A cluster with the handle of `BrokerProcess`. Without a number, what is done to it is done to every node."""

    def __init__(self, folder: Path, nodes: int = 1) -> None:
        taken: set[int] = set()
        self.nodes = [_node(folder / f"node{number}", number, taken) for number in range(1, nodes + 1)]
        self.replication = min(3, nodes)
        self._is_formatted = False

    @property
    def servers(self) -> str:
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    def start(self, number: int | None = None) -> None:
        """Returns when every node knows all that are up."""
        if not self._is_formatted:
            self._format()
        for node in self._chosen(number):
            if not node.alive:
                node.launch()
        running = [node for node in self.nodes if node.alive]
        for node in running:
            _wait_ready(node, len(running))
        # Who has just come up knows itself before the controller trusts it with partitions.
        _persist(partial(_place, f"{HOST}:{running[0].port}", len(running)))

    def kill(self, number: int | None = None) -> None:
        for node in self._chosen(number):
            node.send(signal.SIGKILL)
            if node.process is not None:
                node.process.wait()

    def stop(self, number: int | None = None) -> None:
        """Asks, waits, then insists; a node that stands still cannot hear the question."""
        for sent in (signal.SIGTERM, signal.SIGCONT):
            for node in self._chosen(number):
                node.send(sent)
        for node in self._chosen(number):
            if node.process is not None:
                end(node.process, grace_seconds=30)

    def number_at(self, address: str) -> int:
        """The number of the node with this address."""
        return next(node.number for node in self.nodes if address == f"{HOST}:{node.port}")

    def pause(self, number: int) -> None:
        self.nodes[number - 1].send(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self.nodes[number - 1].send(signal.SIGCONT)

    def wipe(self) -> None:
        """As good as new: no topic, no group."""
        self.start()
        client = AdminClient({"bootstrap.servers": self.servers})
        for group in client.list_consumer_groups().result(30).valid:
            _persist(partial(self._delete_group, client, group.group_id))
        names = [name for name in client.list_topics(timeout=30).topics if not name.startswith("__")]
        for gone in client.delete_topics(names, operation_timeout=30).values() if names else []:
            gone.result(30)
        until_forgotten(self.servers, names)

    def _delete_group(self, client: AdminClient, name: str) -> None:
        """Killed and static members are still in it, and would be until their session is over."""
        dismiss(self.servers, name)
        client.delete_consumer_groups([name])[name].result(30)

    def _chosen(self, number: int | None) -> list[Node]:
        return self.nodes if number is None else [self.nodes[number - 1]]

    def _format(self) -> None:
        # Its first character is never a dash, which the tool would take for an option.
        cluster = base64.urlsafe_b64encode(b"\x40" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        voters = ",".join(f"{node.number}@{HOST}:{node.controller}" for node in self.nodes)
        for node in self.nodes:
            node.properties.write_text(_properties(node, voters, self.replication))
            run_tool("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(node.properties))
        self._is_formatted = True


def _node(folder: Path, number: int, taken: set[int]) -> Node:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port(taken)
    controller = free_port(taken | {port})
    taken.update((port, controller))
    return Node(number, folder, port, controller)


def _properties(node: Node, voters: str, replicas: int) -> str:
    return PROPERTIES.format(
        host=HOST,
        number=node.number,
        port=node.port,
        controller=node.controller,
        voters=voters,
        data=node.folder / "data",
        replicas=replicas,
        in_sync=max(1, replicas - 1),
    )


def _wait_ready(node: Node, count: int) -> None:
    """A connection alone is too early: the node must know its cluster."""
    deadline = time.monotonic() + READY_SECONDS
    while brokers(f"{HOST}:{node.port}") < count:
        if not node.alive or time.monotonic() > deadline:
            raise AssertionError(f"Kafka does not come up: {node.log.read_text()[-3000:]}")
        time.sleep(0.05)


def _place(server: str, count: int) -> None:
    """Raises KafkaException where so many nodes could not hold a partition now; makes none."""
    client = AdminClient({"bootstrap.servers": server})
    client.create_topics([NewTopic("placed", 1, count)], validate_only=True)["placed"].result(30)


def _persist(act: Callable[[], None], seconds: float = 40) -> None:
    """Tries again what is refused, for instance because a node that just came up is no coordinator yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            act()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


# Java


def java(program: str, *arguments: str, level: str = "ERROR") -> list[str]:
    """The command that runs a class out of Kafka's jars; `level` is that of its log."""
    # A tool lives for seconds, so it is compiled lightly.
    options = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.level={level}"]
    return [_java(), *options, "-cp", f"{jars()}/*", program, *arguments]


def run_tool(program: str, *arguments: str, text: str = "", seconds: float = 120) -> str:
    """What the tool said on its standard output; AssertionError with all it said when it failed."""
    done = subprocess.run(
        java(program, *arguments), input=text, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{program} failed: {done.stdout[-2000:]} {done.stderr[-4000:]}"
    return done.stdout


@cache
def jars() -> Path:
    """The folder of Kafka's jars, filled at first use; KafkaUnavailable where that cannot be."""
    _java()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fenta" / f"kafka-{VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _fetch(home)
            (home / "complete").touch()
    return home / "lib"


def skip_without_java() -> None:
    """Ends the test that needs Kafka's jars where there are none, with the reason."""
    if missing := _missing():
        pytest.skip(f"No Apache Kafka here: {missing}")


@cache
def _missing() -> str | None:
    """What is missing, looked for once."""
    try:
        jars()
    except KafkaUnavailable as missing:
        return str(missing)
    return None


def _fetch(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("Maven (mvn) is not installed, which fetches Apache Kafka once.")
    (home / "pom.xml").write_text("".join(_pom()))
    command = [maven, "-B", "-q", "-f", str(home / "pom.xml"), "dependency:copy-dependencies"]
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={home / 'lib'}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaUnavailable(f"Maven could not fetch Apache Kafka {VERSION}: {done.stdout.strip()[-500:]}")


def _pom() -> Iterator[str]:
    yield "<project><modelVersion>4.0.0</modelVersion><groupId>fenta</groupId><artifactId>kafka</artifactId>"
    yield "<version>1</version><packaging>pom</packaging><dependencies>"
    for group, artifact, version in ARTIFACTS:
        yield f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        yield "</dependency>"
    yield "</dependencies></project>"


@cache
def _java() -> str:
    """The path of a Java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise KafkaUnavailable("Java is not installed; Apache Kafka needs 17 or newer.")
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise KafkaUnavailable(f"Apache Kafka needs Java 17 or newer, here is: {told.splitlines()[:1]}")
    return found


# Which broker the fixtures start


def nodes_asked() -> int:
    """How many nodes of a real Kafka the tests are to use instead of the embedded broker; 0 for the latter."""
    return int(os.environ.get("FENTA_TEST_KAFKA") or 0)
