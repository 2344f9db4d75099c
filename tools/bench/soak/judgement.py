"""Whether what was sampled grew: the median of the last third beside that of the first, after a warm-up."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from fenta.contracts.topics import SERVICES
from tools.bench.page import result
from tools.bench.soak.sampling import WATCHED, Sample

WARM_UP_SECONDS = 180
MOST_GROWTH = "<= 1.05"
# Few are open, and one more of twenty is chance; a leak opens one for each job or request. Dead rows come and go with
# the vacuum.
MOST_MORE = "<= 1.1"

Reading = Callable[[Sample], float]


def judged(samples: Sequence[Sample], *, warm_up_seconds: float) -> list[dict[str, Any]]:
    """A line for each thing that must not grow, and how much of it there was."""
    warm = after(samples, warm_up_seconds)
    return [
        *(line for name in WATCHED for line in _process(warm, name)),
        result("soak.pss.services", "the six services: PSS, MiB, by minute", by_minute(warm, services_pss)),
        result("soak.pss", "the whole stack: PSS, MiB, by minute", by_minute(warm, whole_pss)),
        *_level(warm, "connections", "connections to Postgres", lambda one: one.connections),
        *_level(warm, "dead", "share of dead rows in all tables", dead_share),
        *_level(warm, "dead_in_queues", "dead rows in queues", lambda one: one.dead_in_queues),
    ]


def _process(warm: Sequence[Sample], name: str) -> list[dict[str, Any]]:
    """The goal is for services; the other parts are told beside them."""

    def rss(one: Sample) -> float:
        return one.rss[name]

    def descriptors(one: Sample) -> float:
        return one.descriptors[name]

    more_memory, more_descriptors = [growth(warm, rss)], [growth(warm, descriptors)]
    goal = MOST_GROWTH if name in SERVICES else None
    return [
        result(f"soak.rss.{name}", f"{name}: RSS, MiB, by minute", by_minute(warm, rss)),
        result(f"soak.growth.{name}", f"{name}: RSS, last third / first third", more_memory, goal=goal),
        result(
            f"soak.descriptors.{name}", f"{name}: descriptors, last / first third", more_descriptors, goal=MOST_MORE
        ),
    ]


def _level(warm: Sequence[Sample], name: str, what: str, reading: Reading) -> list[dict[str, Any]]:
    return [
        result(f"soak.{name}", f"{what}, by minute", by_minute(warm, reading)),
        result(f"soak.{name}.growth", f"{what}, last third / first third", [growth(warm, reading)], goal=MOST_MORE),
    ]


def after(samples: Sequence[Sample], warm_up_seconds: float) -> list[Sample]:
    return [one for one in samples if one.seconds - samples[0].seconds >= warm_up_seconds]


def growth(samples: Sequence[Sample], reading: Reading) -> float:
    """The median of the last third beside that of the first; thirds of time, not of samples."""
    first, last = samples[0].seconds, samples[-1].seconds
    third = (last - first) / 3
    early = [reading(one) for one in samples if one.seconds <= first + third]
    late = [reading(one) for one in samples if one.seconds >= last - third]
    return statistics.median(late) / statistics.median(early)


def by_minute(samples: Sequence[Sample], reading: Reading) -> list[float]:
    """The median of each minute."""
    minutes: dict[int, list[float]] = {}
    for one in samples:
        minutes.setdefault(int((one.seconds - samples[0].seconds) // 60), []).append(reading(one))
    return [statistics.median(values) for values in minutes.values()]


def services_pss(sample: Sample) -> float:
    return sum(sample.pss[name] for name in SERVICES)


def whole_pss(sample: Sample) -> float:
    return sum(sample.pss.values())


def dead_share(sample: Sample) -> float:
    return sample.dead_rows / max(1.0, sample.dead_rows + sample.live_rows)
