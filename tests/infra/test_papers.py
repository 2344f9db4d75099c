"""The papers name what is really there."""

import re

import pytest

from tools.documents import ROOT

DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
PARTS = ["## Context", "## Decision", "## Consequences", "## Alternatives", "## Revisit when"]


LOCKS = ["requirements.lock", "requirements-peers.lock"]


def test_every_package_of_a_lock_is_among_the_third_parties() -> None:
    locked = {name for lock in LOCKS for name in re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(), re.M)}
    listed = (ROOT / "THIRD_PARTY.md").read_text().split("## In the services")[1]
    assert set(re.findall(r"`([a-z0-9._-]+)`", listed.replace("`fenta` command", ""))) == locked


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_by_its_hashes_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.findall(r"^\S.*(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)*$", text, re.M)
    assert packages
    assert [package for package in packages if "==" not in package or "--hash" not in package] == []
    assert "://" not in text


@pytest.mark.parametrize("decision", [path.name for path in DECISIONS])
def test_a_decision_is_one_page_of_five_parts(decision: str) -> None:
    text = (ROOT / f"docs/decisions/{decision}").read_text()
    assert re.match(rf"# {int(decision[:4])}\. \S", text)
    assert re.findall(r"^## .+$", text, re.M) == PARTS
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


PAGES = [path for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md") for path in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in PAGES])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()) + re.findall(
        r'src="([^"]+)"', path.read_text()
    )
    local = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/architecture.md", "README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:docs|infra|libs|services|tests|tools)/[\w./-]+)`", (ROOT / page).read_text())
    # What is generated or measured comes with its command.
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith("docs/bench")] == []


def test_metrics_that_are_named_are_counted() -> None:
    sources = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/chassis/src/**/*.py")]
    declared = set(re.findall(r'"(fenta_[a-z]+_[a-z_]+)"', "\n".join(path.read_text() for path in sources)))
    named = set(re.findall(r"`(fenta_[a-z]+_[a-z_]+)", (ROOT / "docs/operations.md").read_text()))
    assert named
    assert {name for name in named if name not in declared and name.removesuffix("_total") not in declared} == set()


def test_log_lines_that_are_named_are_written() -> None:
    sources = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/chassis/src/**/*.py")]
    written = set(re.findall(r'\blog\.\w+\(\s*"([a-z_.]+)"', "\n".join(path.read_text() for path in sources)))
    table = (ROOT / "docs/operations.md").read_text().split("## Logs")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", table))
    assert named
    assert named <= written
