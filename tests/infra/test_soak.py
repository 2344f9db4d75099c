"""What the soak makes of its samples: slow growth is seen, a warm-up and a peak are not taken for it."""

import pytest

from tools.bench.page import reached
from tools.bench.soak.judgement import judged
from tools.bench.soak.sampling import WATCHED, Sample

EVERY_SECONDS = 5.0
WARM_UP_SECONDS = 180
MINUTES = 20


def sample(seconds: float, **changes: float) -> Sample:
    """An ordinary one; `memory`, `descriptors`, `connections` and `dead_rows` change what they name."""
    return Sample(
        seconds=seconds,
        rss=dict.fromkeys(WATCHED, changes.get("memory", 100.0)),
        pss=dict.fromkeys(WATCHED, 80.0),
        descriptors=dict.fromkeys(WATCHED, changes.get("descriptors", 30.0)),
        connections=changes.get("connections", 40.0),
        dead_rows=changes.get("dead_rows", 100.0),
        dead_in_queues=10.0,
        live_rows=9_900.0,
    )


def goals(samples: list[Sample]) -> dict[str, str]:
    """By line, whether what it should reach is reached."""
    return {line["id"]: reached(line) for line in judged(samples, warm_up_seconds=WARM_UP_SECONDS) if line["goal"]}


def times() -> list[float]:
    return [1000 + number * EVERY_SECONDS for number in range(int(MINUTES * 60 / EVERY_SECONDS))]


def share(seconds: float) -> float:
    """Of the time after the warm-up; before it is over, less than nothing."""
    return (seconds - 1000 - WARM_UP_SECONDS) / (MINUTES * 60 - WARM_UP_SECONDS)


def test_what_stays_as_it_is_reaches_every_goal() -> None:
    found = goals([sample(seconds) for seconds in times()])
    assert set(found.values()) == {"yes"}
    assert {"soak.growth.gateway", "soak.growth.notifier", "soak.descriptors.render", "soak.connections.growth"} <= set(
        found
    )


def test_memory_that_grows_while_it_warms_up_has_not_leaked() -> None:
    found = goals([sample(seconds, memory=100 + 200 * min(0.0, share(seconds))) for seconds in times()])
    assert set(found.values()) == {"yes"}


@pytest.mark.parametrize(("growth", "verdict"), [(0.06, "yes"), (0.09, "no")])
def test_thirds_are_compared_and_a_twentieth_is_allowed(growth: float, verdict: str) -> None:
    """What grows evenly is two thirds of its growth more in the middle of the last third than in that of the first."""
    found = goals([sample(seconds, memory=100 * (1 + growth * share(seconds))) for seconds in times()])
    assert {found[f"soak.growth.{name}"] for name in ("gateway", "billing")} == {verdict}


def test_a_peak_is_no_growth() -> None:
    last = times()[-1]
    found = goals([sample(seconds, memory=300 if seconds > last - 60 else 100) for seconds in times()])
    assert set(found.values()) == {"yes"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("descriptors", "soak.descriptors.gateway"),
        ("connections", "soak.connections.growth"),
        ("dead_rows", "soak.dead.growth"),
    ],
)
def test_what_is_opened_and_never_closed_is_seen(name: str, line: str) -> None:
    found = goals([sample(seconds, **{name: 30 + 10_000 * max(0.0, share(seconds))}) for seconds in times()])
    assert [identifier for identifier, verdict in found.items() if verdict == "no" and identifier == line]
