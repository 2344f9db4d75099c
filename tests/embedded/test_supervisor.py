"""The supervisor with stand-ins for services: order, restarts, kill -9 of everything, real parts given from outside."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from fenta.contracts.topics import all_topics
from fenta.embedded.home import Home
from fenta.embedded.keeper import KEPT_LOGS, rotate
from fenta.embedded.processes import AlreadyRunning, NotReady, free_port
from fenta.embedded.supervisor import Stack

SERVICES = ("billing", "gateway")
FAKE = str(Path(__file__).with_name("fake_service.py"))
RUN = """
import sys, time
from pathlib import Path
from fenta.embedded.supervisor import Stack
stack = Stack(Path(sys.argv[1]), services=["billing"], command=lambda name: [sys.executable, sys.argv[2], name]).start()
print("up", flush=True)
time.sleep(600)
"""


def fake(service: str) -> list[str]:
    return [sys.executable, FAKE, service]


def stack_in(folder: Path, **options: Any) -> Stack:
    return Stack(folder, **{"services": SERVICES, "command": fake, **options})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_in(tmp_path_factory.mktemp("stack") / "home", settings={"EXTRA": "yes"}) as running:
        yield running


def seen_by(stack: Stack, service: str) -> dict[str, str]:
    return dict(json.loads((stack.home.path / f"{service}.environment").read_text()))


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_every_part_runs_and_each_service_finds_its_settings(stack: Stack) -> None:
    assert set(stack.pids()) == {"postgres", "broker", "objectstore", *SERVICES}
    billing, gateway = seen_by(stack, "billing"), seen_by(stack, "gateway")
    assert billing["HTTP_PORT"] == str(stack.ports["billing"])
    assert billing["DEFAULT_PLAN"] == "pro"
    assert "JWT_SIGNING_KEYS" not in billing
    assert gateway["BILLING_URL"] == f"http://127.0.0.1:{stack.ports['billing']}"
    assert gateway["EXTRA"] == billing["EXTRA"] == "yes"
    assert list(json.loads(billing["IDENTITY_PUBLIC_KEYS"])) == list(json.loads(gateway["JWT_SIGNING_KEYS"]))
    assert {name: stack.environment("billing")[name] for name in billing if name in stack.environment("billing")}


async def test_a_service_reaches_its_schema_under_its_own_role(stack: Stack) -> None:
    url = stack.environment("billing")["DATABASE_URL"]
    assert await ask(url, "SELECT current_user || ' ' || current_schema()") == "fenta_billing billing"


async def test_all_topics_are_there_with_at_most_three_partitions(stack: Stack) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=stack.environment("billing")["KAFKA_BOOTSTRAP_SERVERS"])
    await client.start()
    described = {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}
    await client.close()
    assert described == {topic.name: min(topic.partitions, 3) for topic in all_topics()}


def test_the_object_store_has_the_bucket(stack: Stack) -> None:
    import boto3

    environment = stack.environment("gateway")
    client = boto3.client(
        "s3",
        endpoint_url=environment["S3_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [environment["S3_BUCKET_NAME"]]
    client.close()


def test_secrets_are_for_the_owner_only(stack: Stack) -> None:
    assert (stack.home.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert stack.home.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["billing", "broker", "objectstore", "postgres"])
def test_what_dies_comes_back_on_the_same_port(stack: Stack, name: str) -> None:
    before, ports = stack.pids()[name], stack.ports
    stack.kill(name)
    stack.wait_ready(name)
    assert stack.pids()[name] != before
    assert stack.ports == ports
    assert stack.restarts[name] >= 1


def test_what_is_held_down_comes_back_when_asked(stack: Stack) -> None:
    stack.kill("gateway", stay_down=True)
    assert "gateway" not in stack.pids()
    stack.restart("gateway")
    assert httpx.get(f"http://127.0.0.1:{stack.ports['gateway.admin']}/readyz").status_code == 200


def test_a_second_supervisor_is_refused_with_a_sentence(stack: Stack) -> None:
    # It runs in another folder than the usual one, which the advice therefore names.
    with pytest.raises(AlreadyRunning, match=rf"already running .* `FENTA_HOME={stack.home.path} fenta down`"):
        stack_in(stack.home.path).start()
    assert set(stack.pids()) == {"postgres", "broker", "objectstore", *SERVICES}


def fenta(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FENTA_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "fenta.embedded.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_status_logs_and_doctor_describe_a_running_stack(stack: Stack) -> None:
    status = fenta(stack.home.path, "status")
    assert status.returncode == 0, status.stdout
    assert all(name in status.stdout for name in ("postgres", "broker", "objectstore", *SERVICES))
    assert "billing runs" in fenta(stack.home.path, "logs", "billing").stdout
    assert "There is no log of nonsense" in fenta(stack.home.path, "logs", "nonsense").stdout
    doctor = fenta(stack.home.path, "doctor")
    assert "All are ours." in doctor.stdout
    assert doctor.stdout.count("Ready.") == 2
    assert "running" in fenta(stack.home.path, "reset", "--yes").stdout


def test_a_service_that_does_not_come_up_stops_the_start_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "billing.refuses").touch()
    stack = stack_in(tmp_path)
    with pytest.raises(NotReady, match="billing refuses to start"):
        stack.start()
    assert stack.pids() == {}
    (tmp_path / "billing.refuses").unlink()
    with stack_in(tmp_path) as again:
        assert "billing" in again.pids()


def started(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", RUN, str(home), FAKE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def collect(process: subprocess.Popen[str]) -> None:
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_all_children_die_with_a_killed_supervisor(tmp_path: Path, eventually: Callable[..., None]) -> None:
    process = started(tmp_path)
    pids = [part["pid"] for part in Home(tmp_path).state()["parts"].values()]
    assert len(pids) == 4
    process.kill()
    collect(process)
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))


async def test_it_comes_up_after_kill_9_of_everything(tmp_path: Path) -> None:
    process = started(tmp_path)
    home = Home(tmp_path)
    ports = home.kept_ports()
    password = (tmp_path / "postgres" / "password").read_text()
    url = f"postgresql://postgres:{password}@127.0.0.1:{ports['postgres']}/postgres"
    await ask(url, "CREATE TABLE kept AS SELECT 1 AS number")
    family = psutil.Process(process.pid).children(recursive=True)
    for member in [psutil.Process(process.pid), *family]:
        with contextlib.suppress(psutil.NoSuchProcess):  # some die with the first
            member.kill()
    collect(process)
    with stack_in(tmp_path) as again:
        assert again.ports == ports
        assert await ask(url, "SELECT number FROM kept") == 1


def test_down_stops_a_stack_that_runs_elsewhere(tmp_path: Path) -> None:
    process = started(tmp_path)
    assert fenta(tmp_path, "down").stdout == "Stopped.\n"
    collect(process)
    assert "No stack runs" in fenta(tmp_path, "down").stdout
    assert "No stack runs" in fenta(tmp_path, "status").stdout


def test_reset_deletes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.choose_ports(["gateway"])
    assert home.secrets
    (tmp_path / "diary.txt").write_text("mine")
    assert fenta(tmp_path, "reset", "--yes").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.txt", "ports.json"]


def test_ports_are_kept_unless_somebody_else_took_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.choose_ports(["broker", "billing"])
    assert Home(tmp_path).choose_ports(["billing", "broker"]) == first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["broker"]))
        stranger.listen()
        second = Home(tmp_path).choose_ports(["broker", "billing"])
    assert second["broker"] != first["broker"]
    assert second["billing"] == first["billing"]


def test_real_parts_are_used_when_the_caller_names_them(stack: Stack, tmp_path: Path) -> None:
    """The parts of one stack stand for the real ones of another."""
    real = {
        "DATABASE_URL": stack.addresses.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.addresses.kafka,
        "S3_ENDPOINT_URL": stack.addresses.s3_endpoint,
        "AWS_ACCESS_KEY_ID": "of the caller",
        "KAFKA_REPLICATION_FACTOR": "1",
        "KAFKA_PARTITIONS_MAX": "3",
    }
    # Roles belong to the server, so the two stacks must agree on the passwords.
    (tmp_path / "secrets.json").write_text((stack.home.path / "secrets.json").read_text())
    with stack_in(tmp_path, caller={**os.environ, **real}) as other:
        assert set(other.pids()) == set(SERVICES)
        environment = other.environment("gateway")
        assert environment["KAFKA_BOOTSTRAP_SERVERS"] == real["KAFKA_BOOTSTRAP_SERVERS"]
        assert environment["AWS_ACCESS_KEY_ID"] == "of the caller"
        assert environment["DATABASE_URL"].startswith("postgresql://fenta_gateway:")


def test_a_caller_may_choose_what_is_only_a_default(tmp_path: Path) -> None:
    stack = Stack(
        tmp_path, caller={"DEFAULT_PLAN": "free", "AWS_PROFILE": "work", "DATABASE_URL": "postgresql://a:b@c/d"}
    )
    stack._ports = stack.home.choose_ports(stack._port_names())
    assert stack.environment("billing")["DEFAULT_PLAN"] == "free"
    assert "AWS_PROFILE" not in stack.environment("gateway")
    assert stack.environment("gateway")["AWS_ACCESS_KEY_ID"].startswith("FENTA")


def test_a_long_log_is_put_aside_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("a") as writer:
        for number in range(KEPT_LOGS + 2):
            writer.write(f"{number}\n")
            writer.flush()
            rotate(log)
        writer.write("last\n")
    assert log.read_text() == "last\n"
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["x.log", *(f"x.log.{number}" for number in range(1, KEPT_LOGS + 1))]
    assert (tmp_path / "x.log.1").read_text() == f"{KEPT_LOGS + 1}\n"


def test_doctor_names_who_has_a_port(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "ports.json").write_text(json.dumps({"broker": port}))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        told = fenta(tmp_path, "doctor").stdout
    assert f"{port} of broker is taken by" in told
    assert f"(process {os.getpid()})" in told


def test_up_and_ctrl_c(tmp_path: Path) -> None:
    """The command itself, ended while it is still starting: nothing may stay behind."""
    environment = {**os.environ, "FENTA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "fenta.embedded.cli", "up"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 30
    while "broker" not in Home(tmp_path).state().get("parts", {}):
        assert time.monotonic() < deadline
    parts = Home(tmp_path).state()["parts"]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 1), output
    assert "Traceback" not in output
    assert not any(psutil.pid_exists(part["pid"]) for part in parts.values())


async def test_help_is_quick() -> None:
    started_at = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "importtime", "-m", "fenta.embedded.cli", "--help", stdout=-3, stderr=subprocess.PIPE
    )
    _, imports = await process.communicate()
    assert b"sqlalchemy" not in imports
    assert b"aiokafka" not in imports
    assert time.monotonic() - started_at < 5
