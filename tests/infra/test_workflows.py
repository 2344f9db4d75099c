"""What GitHub runs is what `.ci/run` runs."""

import re
from typing import Any

import pytest
import yaml

from tools.documents import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(name: str) -> list[dict[str, Any]]:
    jobs = yaml.safe_load((ROOT / f".github/workflows/{name}").read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def commands(name: str) -> set[str]:
    return {step["run"] for step in steps(name) if "run" in step}


def test_the_check_runs_the_same_as_we_do() -> None:
    ours = set(re.findall(r"^make [a-z-]+$", (ROOT / ".ci/run").read_text(), re.M))
    assert commands("check.yml") == ours


def test_faults_are_planted_at_night_and_when_asked() -> None:
    # YAML reads a bare `on` as true.
    triggers = yaml.safe_load((ROOT / ".github/workflows/mutants.yml").read_text())[True]
    assert triggers.keys() == {"workflow_dispatch", "schedule"}
    assert commands("mutants.yml") == {"make mutants"}


def test_all_versions_of_python_are_tested() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("workflow", [path.name for path in WORKFLOWS])
def test_a_workflow_is_pinned_and_may_only_read(workflow: str) -> None:
    document = yaml.safe_load((ROOT / f".github/workflows/{workflow}").read_text())
    assert document["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in document["jobs"].values())
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action)] == []


@pytest.mark.parametrize("workflow", [path.name for path in WORKFLOWS])
def test_a_workflow_calls_targets_that_exist(workflow: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {command.removeprefix("make ") for command in commands(workflow)} <= targets
