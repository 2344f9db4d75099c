"""T1, T3, T6 and T11 once more, on one node of a real Apache Kafka; the floors beside them are its own."""

from typing import Any

import uvloop

from tests.support.kafka import KafkaUnavailable
from tools.bench.bus import hops, throughput
from tools.bench.bus.stage import Stage, stage
from tools.bench.page import result

ROUNDS = 5


def run() -> list[dict[str, Any]]:
    try:
        with stage(apache=True) as here:
            return [*_steps(here), *_hops(here)]
    except KafkaUnavailable as missing:
        print(f"  not measured: {missing}")
        return []


def _steps(here: Stage) -> list[dict[str, Any]]:
    rounds = uvloop.run(throughput.measured(here, ROUNDS))
    return [
        result("kafka.steps", "steps per second on Apache Kafka, one process", [one.walk.rate for one in rounds]),
        result("T1.kafka", "steps on Apache Kafka / INSERTs", [one.plain.speed for one in rounds]),
        result("T1.watched.kafka", f"the same, {throughput.WATCHED}", [one.watched.speed for one in rounds]),
        result("T3.kafka", "CPU of a step on Apache Kafka / of an INSERT", [one.plain.cost for one in rounds]),
        result("T11.kafka", "events per commit on Apache Kafka, median", [throughput.events_per_commit(rounds)]),
    ]


def _hops(here: Stage) -> list[dict[str, Any]]:
    rounds = uvloop.run(hops.measured(here))
    return [
        result("kafka.hop", "event to handler on Apache Kafka at rest, p50, ms", [one.milliseconds for one in rounds]),
        result("T6.p50.kafka", "the same / the bare hop of T6, p50", [one.median_ratio for one in rounds]),
        result("T6.p99.kafka", "the same, p99", [one.late_ratio for one in rounds]),
        result("T6.job.kafka", "a job of five steps / one step, p50", [one.job_ratio for one in rounds]),
    ]
