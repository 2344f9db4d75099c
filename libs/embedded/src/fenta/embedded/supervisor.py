"""The whole stack on one machine: its parts in order, watched, restarted, stopped in reverse."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from fenta.contracts.topics import SERVICES

from .environment import Addresses, Environments, admin
from .home import GATEWAY_PORT, Home
from .keeper import Keeper, Program
from .postgres import EmbeddedPostgres
from .processes import HOST, AlreadyRunning, launch, lock_folder, same_process, write_atomically

POSTGRES, BROKER, STORE = "postgres", "broker", "objectstore"
LOCAL_PARTITIONS_MAX = 3
LEFTOVER_GRACE_SECONDS = 5.0
POSTGRES_SECONDS = 120.0
READY_SECONDS = 60.0
STOP_SECONDS = {"render": 60.0}
DEFAULT_STOP_SECONDS = 30.0

Command = Callable[[str], list[str]]


def service_command(service: str) -> list[str]:
    return [sys.executable, "-m", f"fenta.{service}"]


class Stack:
    """Starts, watches and stops everything that one Fenta needs on this machine.

    `services` is what runs of the six; `settings` goes into the environment of each; `command` tells how to start a
    service. Where `caller` names a real Postgres, Kafka or object store (`DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS`,
    `S3_ENDPOINT_URL`), that one is used and the embedded part is not started. With `gateway_port=0` the API takes any
    port, so that a second stack does not take the usual one from the first.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        services: Sequence[str] = SERVICES,
        settings: Mapping[str, str] | None = None,
        caller: Mapping[str, str] | None = None,
        command: Command = service_command,
        tell: Callable[[str], None] = lambda sentence: None,
        gateway_port: int = GATEWAY_PORT,
    ) -> None:
        self.home = Home(home, gateway_port=gateway_port)
        self.services = tuple(services)
        self._settings = dict(settings or {})
        self._caller = dict(os.environ if caller is None else caller)
        self._command = command
        self._tell = tell
        self._keeper = Keeper(self._write_state, tell)
        self._ports: dict[str, int] = {}
        self._postgres: EmbeddedPostgres | None = None
        self._lock: IO[str] | None = None

    # What tests and commands use

    def start(self) -> Self:
        """Returns when every part is ready. Raises AlreadyRunning, NotReady, or what else went wrong; all stopped."""
        self._take_home()
        try:
            self._bring_up()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Services first, then store and broker, Postgres last."""
        for names in (self.services, (BROKER, STORE), (POSTGRES,)):
            self._keeper.stop(*(self._keeper.programs[name] for name in names if name in self._keeper.programs))
        self._keeper.finish()
        if self._postgres is not None:
            self._postgres.stop()
        if self._lock is not None:
            self.home.state_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kill(self, name: str, *, stay_down: bool = False) -> None:
        """SIGKILL to one part. It comes back by itself, or with `stay_down` only by `restart`."""
        self._keeper.kill(name, stay_down=stay_down)

    def restart(self, name: str) -> None:
        """Stops the part if it runs, starts it, and returns when it is ready."""
        program = self._keeper.programs[name]
        self._keeper.stop(program)
        program.started_at = 0.0
        self._keeper.start(program)
        self.wait_ready(name)

    def wait_ready(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """All parts, unless some are named."""
        programs = self._keeper.programs
        self._keeper.wait_ready(*(programs[name] for name in names or programs), seconds=seconds)

    def environment(self, service: str) -> dict[str, str]:
        """Everything that `service` finds in its environment."""
        return self.environments.of(service)

    @property
    def ports(self) -> dict[str, int]:
        """By part; a service's admin port is `<service>.admin`."""
        return dict(self._ports)

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://{HOST}:{self._ports['gateway']}"

    def pids(self) -> dict[str, int]:
        """Of the parts that are alive."""
        programs = self._keeper.programs
        return {name: program.process.pid for name, program in programs.items() if program.alive and program.process}

    @property
    def restarts(self) -> dict[str, int]:
        return {name: program.restarts for name, program in self._keeper.programs.items()}

    # How it comes up

    def _take_home(self) -> None:
        self.home.create()
        try:
            self._lock = lock_folder(self.home.lock_file)
        except AlreadyRunning:
            owner = self.home.state().get("pid", "unknown")
            stop = "fenta down" if self.home.path == Home().path else f"FENTA_HOME={self.home.path} fenta down"
            raise AlreadyRunning(
                f"A stack is already running in {self.home.path} (process {owner}). Stop it with `{stop}`."
            ) from None
        end_leftovers(self.home)

    def _bring_up(self) -> None:
        kept = self.home.kept_ports()
        self._ports = self.home.choose_ports(self._port_names())
        for name, port in kept.items():
            if self._ports.get(name, port) != port:
                self._tell(f"Port {port} of {name} is taken by another program; it is now {self._ports[name]}.")
        # Read once here, before several threads would make them at the same time.
        _ = self.home.secrets
        self._keeper.begin()
        parts = self._start_parts()
        with ThreadPoolExecutor(2) as pool:
            # Both import a lot, which they may do while Postgres still starts.
            preparations = [pool.submit(self._migrate, parts), pool.submit(self._create_topics, parts)]
        for preparation in preparations:
            preparation.result()
        self._keeper.wait_ready(*parts.values(), seconds=READY_SECONDS)
        self._start_services()

    def _port_names(self) -> list[str]:
        """The gateway needs addresses of all services, also of those that do not run."""
        return [POSTGRES, BROKER, STORE, *SERVICES, *map(admin, SERVICES)]

    def _start_parts(self) -> dict[str, Program]:
        """All at once; those that the caller brings along are left out."""
        makers = {
            "KAFKA_BOOTSTRAP_SERVERS": self._broker_program,
            "S3_ENDPOINT_URL": self._store_program,
            "DATABASE_URL": self._postgres_program,
        }
        programs = [make() for setting, make in makers.items() if not self._caller.get(setting)]
        self._keeper.start(*programs)
        return {program.name: program for program in programs}

    def _migrate(self, parts: Mapping[str, Program]) -> None:
        from .migrate import migrate_all  # noqa: PLC0415  Alembic is slow to import

        if POSTGRES in parts:
            self._keeper.wait_ready(parts[POSTGRES], seconds=POSTGRES_SECONDS)
        migrate_all(self.addresses.database_url, self.home.secrets["database_passwords"])

    def _create_topics(self, parts: Mapping[str, Program]) -> None:
        from .topics import apply_all  # noqa: PLC0415  so is aiokafka

        if BROKER in parts:
            self._keeper.wait_ready(parts[BROKER], seconds=READY_SECONDS)
        limit = self._caller.get("KAFKA_PARTITIONS_MAX") or (str(LOCAL_PARTITIONS_MAX) if BROKER in parts else "")
        replication = self._caller.get("KAFKA_REPLICATION_FACTOR")
        applied = apply_all(
            self.kafka,
            partitions_max=int(limit) if limit else None,
            replication=int(replication) if replication else None,
        )
        for sentence in (*applied.changed, *applied.impossible):
            self._tell(f"Topic {sentence}")

    def _start_services(self) -> None:
        programs = [self._service_program(service) for service in self.services]
        self._keeper.start(*programs)
        self._keeper.wait_ready(*programs, seconds=READY_SECONDS)

    # The parts

    @property
    def kafka(self) -> str:
        """Where Kafka answers. It is asked for while Postgres still starts, and has no address yet."""
        return self._caller.get("KAFKA_BOOTSTRAP_SERVERS") or f"{HOST}:{self._ports[BROKER]}"

    @property
    def addresses(self) -> Addresses:
        given = self._caller.get
        return Addresses(
            database_url=given("DATABASE_URL") or (self._postgres.url if self._postgres is not None else ""),
            kafka=self.kafka,
            s3_endpoint=given("S3_ENDPOINT_URL") or f"http://{HOST}:{self._ports[STORE]}",
            s3_is_ours=not given("S3_ENDPOINT_URL"),
        )

    @property
    def environments(self) -> Environments:
        return Environments(self.home, self._ports, self.addresses, self._caller, self._settings)

    def _postgres_program(self) -> Program:
        server = EmbeddedPostgres(self.home.path / POSTGRES, port=self._ports[POSTGRES], log=self.home.log(POSTGRES))
        self._postgres = server

        def start() -> subprocess.Popen[bytes]:
            server.launch()
            return server.started

        return Program(
            POSTGRES,
            start,
            server.ready,
            self.home.log(POSTGRES),
            stop_signal=signal.SIGINT,
            grace_seconds=DEFAULT_STOP_SECONDS,
        )

    def _broker_program(self) -> Program:
        command = [sys.executable, "-m", "fenta.embedded.broker", str(self.home.path / BROKER)]
        return self._listener(BROKER, command, self._caller)

    def _store_program(self) -> Program:
        keys = Environments(self.home, self._ports, Addresses("", "", ""), self._caller).storage_keys()
        command = [sys.executable, "-m", "fenta.embedded.objectstore", str(self.home.path / STORE)]
        return self._listener(STORE, command, {**self._caller, **keys})

    def _listener(self, name: str, command: list[str], environment: Mapping[str, str]) -> Program:
        port = self._ports[name]
        start = self._starter(name, [*command, "--port", str(port)], lambda: environment)
        return Program(name, start, lambda: _listens(port), self.home.log(name))

    def _service_program(self, service: str) -> Program:
        port = self._ports[admin(service)]
        start = self._starter(service, self._command(service), lambda: self.environment(service))
        grace = STOP_SECONDS.get(service, DEFAULT_STOP_SECONDS)
        return Program(service, start, lambda: is_ready(port), self.home.log(service), grace_seconds=grace)

    def _starter(
        self, name: str, command: list[str], environment: Callable[[], Mapping[str, str]]
    ) -> Callable[[], subprocess.Popen[bytes]]:
        def start() -> subprocess.Popen[bytes]:
            with self.home.log(name).open("ab") as log:
                return launch(command, output=log, environment=environment())

        return start

    def _write_state(self) -> None:
        """So that `fenta status` and `fenta down` find us, and the next start finds what we could not end."""
        if self._lock is None:
            return
        parts = {name: _described(pid) for name, pid in self.pids().items()}
        with _state_lock:
            state = {**_described(os.getpid()), "parts": parts, "restarts": self.restarts}
            write_atomically(self.home.state_file, json.dumps(state, indent=2))


_state_lock = threading.Lock()


def _described(pid: int) -> dict[str, Any]:
    """The time of creation tells a process from a later one with the same number."""
    with contextlib.suppress(psutil.Error):
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    return {"pid": pid, "created": 0.0}


def end_leftovers(home: Home) -> None:
    """Ends parts of an earlier run that outlived their supervisor, so that their ports are free again."""
    processes = []
    for name, part in home.state().get("parts", {}).items():
        process = same_process(part["pid"], part["created"])
        if process is not None:
            processes.append(process)
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGINT if name == POSTGRES else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(processes, timeout=LEFTOVER_GRACE_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()


def running_supervisor(home: Home) -> psutil.Process | None:
    state = home.state()
    return same_process(state["pid"], state["created"]) if state else None


def stop_supervisor(home: Home, *, seconds: float = 90.0) -> bool:
    """Asks a running stack to stop and waits until it has; False when none was running."""
    process = running_supervisor(home)
    if process is None:
        end_leftovers(home)
        return False
    process.terminate()
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    return True


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def is_ready(admin_port: int) -> bool:
    """Whether the service with this admin port says that it can work."""
    return readiness(admin_port)[0] == http.client.OK


def readiness(admin_port: int) -> tuple[int, str]:
    """Status and body of `/readyz`; (0, "") when nobody answers."""
    connection = http.client.HTTPConnection(HOST, admin_port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
