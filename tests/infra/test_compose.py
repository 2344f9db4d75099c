"""The production-shaped system agrees with the code: settings, secrets, names, ports, images."""

import json
import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

from fenta.chassis.identity import Signer, Verifier
from fenta.chassis.settings import load
from fenta.contracts.topics import SERVICES
from fenta.embedded import postgres
from fenta.embedded.environment import BUCKET
from tools.documents import ROOT, settings_of

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "infra/docker/Dockerfile").read_text()
MOUNTED = "/run/secrets/"
OURS = [*SERVICES, "migrate"]


def environment(part: str) -> dict[str, str]:
    """What compose sets, with the defaults of its own variables."""
    given = PARTS[part]["environment"].items()
    return {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)) for name, value in given}


def bare(name: str) -> str:
    return name.removesuffix("_FILE")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script of the first step makes."""
    folder = tmp_path_factory.mktemp("deployment") / "secrets"
    runpy.run_path(str(ROOT / "infra/docker/make_secrets.py"))["main"](folder)
    return folder


def loaded(service: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> BaseSettings:
    """The service's settings as it would read them in its container."""
    settings = settings_of(service)
    for name in settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value.replace(MOUNTED, f"{secrets}/"))
    return load(settings)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_what_compose_gives_it(
    service: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = loaded(service, secrets, monkeypatch)
    database = urlsplit(given.database_url.get_secret_value())  # type: ignore[attr-defined]
    assert (database.username, database.hostname) == (f"fenta_{service}", "postgres")


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_that_compose_gives_is_read(service: str) -> None:
    known = {name.upper() for name in settings_of(service).model_fields}
    assert {bare(name) for name in environment(service)} <= known


def test_every_setting_of_the_migration_is_read() -> None:
    source = (ROOT / "libs/embedded/src/fenta/embedded/commands/setup.py").read_text()
    home = (ROOT / "libs/embedded/src/fenta/embedded/home.py").read_text()
    assert [name for name in environment("migrate") if f'"{name}"' not in source + home] == []
    assert PARTS["migrate"]["command"][-1] == "fenta migrate && fenta topics apply"


def test_the_migration_knows_the_administrator_and_a_password_of_each_service(secrets: Path) -> None:
    (line,) = (secrets / "migrate.env").read_text().split()
    administrator = urlsplit(line.removeprefix("DATABASE_URL="))
    assert administrator.username == PARTS["postgres"]["environment"]["POSTGRES_USER"]
    assert administrator.path == "/" + PARTS["postgres"]["environment"]["POSTGRES_DB"]
    assert administrator.password == (secrets / "postgres_password").read_text().strip()
    passwords = json.loads((secrets / "database_passwords").read_text())
    for service in SERVICES:
        url = urlsplit((secrets / f"database_url_{service}").read_text().strip())
        assert url.password == passwords[service]
        assert url.netloc.rpartition("@")[2] == administrator.netloc.rpartition("@")[2]
        assert url.path == administrator.path


def test_services_verify_what_the_gateway_signs(secrets: Path) -> None:
    token = Signer((secrets / "jwt_signing_keys").read_text()).sign({"aud": "render"}, lifetime_seconds=60)
    Verifier((secrets / "identity_public_keys").read_text()).verify(token, audience="render")


def test_every_secret_is_made_declared_and_used(secrets: Path) -> None:
    declared = {name: each["file"] for name, each in COMPOSE["secrets"].items()}
    assert declared == {name: f"secrets/{name}" for name in declared}
    files = {file.name for file in secrets.iterdir()} - {".gitignore"}
    env_files = {Path(each).name for part in PARTS.values() for each in part.get("env_file", [])}
    assert files == declared.keys() | env_files
    assert declared.keys() == {name for part in PARTS.values() for name in part.get("secrets", [])}


@pytest.mark.parametrize("part", [name for name in PARTS if "environment" in PARTS[name]])
def test_a_part_mounts_exactly_the_secrets_that_it_names(part: str) -> None:
    text = json.dumps([PARTS[part]["environment"], PARTS[part].get("command", "")])
    assert set(re.findall(rf"{MOUNTED}(\w+)", text)) == set(PARTS[part].get("secrets", []))


def test_secrets_are_never_made_anew(secrets: Path) -> None:
    with pytest.raises(SystemExit, match="already"):
        runpy.run_path(str(ROOT / "infra/docker/make_secrets.py"))["main"](secrets)


def test_nobody_else_enters_the_folder_of_secrets(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o077 == 0
    assert (secrets / ".gitignore").read_text() == "*\n"


def test_nothing_secret_stands_in_compose() -> None:
    secret = re.compile(r"PASSWORD|SECRET|KEY|DATABASE_URL")
    public = {"IDENTITY_PUBLIC_KEYS"}
    for part, described in PARTS.items():
        given = environment(part) if "environment" in described else {}
        plain = [name for name, value in given.items() if secret.search(name) and not value.startswith(MOUNTED)]
        assert [name for name in plain if bare(name) not in public] == []


def test_all_six_services_are_there() -> None:
    built = {part["build"]["args"]["SERVICE"] for part in PARTS.values() if "build" in part}
    assert built == {*SERVICES, "embedded"}
    for service in SERVICES:
        assert PARTS[service]["build"]["args"]["SERVICE"] == service
        import_module(f"fenta.{service}.main")


@pytest.mark.parametrize("part", OURS)
def test_ours_run_without_rights_and_cannot_write(part: str) -> None:
    ours = PARTS[part]
    assert ours["user"] == re.search(r"^USER (\S+)$", DOCKERFILE, re.M)[1]  # type: ignore[index]
    assert ours["user"].split(":")[0] not in ("0", "root")
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["tmpfs"][0].startswith("/tmp:size=")


@pytest.mark.parametrize("part", [name for name in PARTS if name not in ("migrate", "bucket")])
def test_what_runs_for_ever_says_whether_it_is_well(part: str) -> None:
    assert PARTS[part]["healthcheck"]["test"][0] == "CMD"
    assert PARTS[part]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_readiness_is_asked_on_the_admin_port(service: str) -> None:
    port = environment(service)["ADMIN_PORT"]
    assert f"http://127.0.0.1:{port}/readyz" in PARTS[service]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_longer_to_stop_than_it_takes(
    service: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = loaded(service, secrets, monkeypatch)
    wait = float(PARTS[service]["stop_grace_period"].removesuffix("s"))
    assert wait > given.shutdown_grace_seconds  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", [name for name in PARTS if "depends_on" in PARTS[name]])
def test_who_waits_names_a_condition_that_can_come_true(part: str) -> None:
    for other, how in PARTS[part]["depends_on"].items():
        ends = "restart" not in PARTS[other]
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_services_wait_for_schemas_topics_and_bucket() -> None:
    for service in SERVICES:
        assert {"migrate", "bucket", "kafka", "postgres"} <= PARTS[service]["depends_on"].keys()


def test_the_gateway_finds_the_owners_where_they_listen() -> None:
    owners = {name: urlsplit(value) for name, value in environment("gateway").items() if name.endswith("_URL")}
    inward = {name: url for name, url in owners.items() if url.hostname in SERVICES}
    assert {url.hostname for url in inward.values()} == {*SERVICES} - {"gateway"}
    for name, url in inward.items():
        assert str(url.port) == environment(str(url.hostname))["HTTP_PORT"], name
    assert inward["FANTA_PROJEKT_API_URL"].hostname == "render"


@pytest.mark.parametrize("service", SERVICES)
def test_addresses_are_those_of_the_parts(service: str) -> None:
    given = environment(service)
    assert given["HTTP_HOST"] == "0.0.0.0"  # noqa: S104  a container is reached from outside it
    assert given["KAFKA_BOOTSTRAP_SERVERS"] in PARTS["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    if "S3_ENDPOINT_URL" in given:
        assert urlsplit(given["S3_ENDPOINT_URL"]).hostname == "minio"
        assert f"127.0.0.1:{urlsplit(given['S3_PUBLIC_URL']).port}:9000" in PARTS["minio"]["ports"]


def test_there_is_one_bucket() -> None:
    named = {environment(part).get("S3_BUCKET_NAME") for part in ("bucket", *SERVICES)} - {None}
    assert named == {BUCKET}


def test_topics_are_made_by_the_table_alone() -> None:
    assert PARTS["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_images_have_versions_and_postgres_is_the_one_we_test_with() -> None:
    for name, part in PARTS.items():
        assert re.search(r":[\w.-]*\d", part["image"]), name
    assert PARTS["postgres"]["image"] == f"postgres:{postgres.MAJOR_VERSION}"
    version = re.search(r'^version = "(.+)"$', (ROOT / "libs/embedded/pyproject.toml").read_text(), re.M)
    for part in OURS:
        name = PARTS[part]["build"]["args"]["SERVICE"]
        assert PARTS[part]["image"] == f"fenta/{name}:{version[1]}"  # type: ignore[index]


@pytest.mark.parametrize("part", list(PARTS))
def test_only_this_machine_reaches_the_ports(part: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in PARTS[part].get("ports", []))


def test_prometheus_asks_every_service_on_its_admin_port() -> None:
    config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (targets,) = job["static_configs"]
    assert set(targets["targets"]) == {f"{service}:{environment(service)['ADMIN_PORT']}" for service in SERVICES}
    assert "./infra/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro" in PARTS["prometheus"]["volumes"]


def test_volumes_are_declared_and_folders_are_there() -> None:
    for part in PARTS.values():
        for volume in part.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
