"""The README of a service names the topics that the one table has for it, in and out."""

import re

import pytest

from fenta.contracts.topics import SERVICES, TOPICS, consumed_by
from tools.documents import ROOT

SECTION = re.compile(r"^## (?:Messages|When a message arrives)\n(.*?)^## ", re.M | re.S)
TABLE_IN = re.compile(r"^\| (?:in|hears) \|.*\n\|---.*\n((?:\|.*\n)+)", re.M)


def messages_of(service: str) -> str:
    found = SECTION.search((ROOT / f"services/{service}/README.md").read_text())
    assert found, f"{service} does not tell of its messages"
    return found[1]


def topics_in(text: str) -> set[str]:
    """Names of topics; what else is written so is a public event or a field."""
    return set(re.findall(r"`([a-z_.]+)`", text)) & TOPICS.keys()


def heard_by(service: str) -> set[str]:
    return {topic.name for lossy in (False, True) for topic in consumed_by(service, lossy=lossy)}


@pytest.mark.parametrize("service", SERVICES)
def test_it_hears_what_its_readme_says(service: str) -> None:
    rows = TABLE_IN.search(messages_of(service))
    assert rows
    assert topics_in("".join(row.split("|")[1] for row in rows[1].splitlines())) == heard_by(service)


@pytest.mark.parametrize("service", SERVICES)
def test_its_readme_names_all_that_it_says_and_nothing_else(service: str) -> None:
    said = {topic.name for topic in TOPICS.values() if service in topic.producers}
    assert topics_in(messages_of(service)) == said | heard_by(service)
