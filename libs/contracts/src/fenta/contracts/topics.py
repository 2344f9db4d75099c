"""The one topic table: partitions, retention, who writes and who reads. Topics are created and documented from it."""

from dataclasses import dataclass

from fenta.contracts.events import EVENTS

SERVICES = ("gateway", "workflow", "generation", "render", "billing", "notifier")
DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One Kafka topic. Consumers are service names; lossy topics are read by the group `<service>.live`."""

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int = 12
    retention_ms: int = 30 * DAY_MS
    lossy: bool = False

    def group(self, service: str) -> str:
        return f"{service}.live" if self.lossy else service


def _topic(name: str, producers: str, consumers: str, partitions: int = 12, days: float = 30) -> Topic:
    lossy = next(event.lossy for event in EVENTS.values() if event.topic == name)
    return Topic(
        name=name,
        producers=tuple(producers.split()),
        consumers=tuple(consumers.split()),
        partitions=partitions,
        retention_ms=round(days * DAY_MS),
        lossy=lossy,
    )


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        _topic("job.requested", "workflow", "billing gateway notifier"),
        _topic("job.authorized", "billing", "workflow"),
        _topic("job.refused", "billing", "workflow"),
        _topic("hold.requested", "workflow", "billing"),
        _topic("job.started", "workflow", "gateway notifier"),
        _topic("job.progressed", "workflow", "gateway", days=1),
        _topic("job.waiting", "workflow", "gateway"),
        _topic("job.completed", "workflow", "billing gateway notifier"),
        _topic("job.failed", "workflow", "billing gateway notifier"),
        _topic("job.cancelled", "workflow", "billing gateway notifier"),
        _topic("generation.requested", "workflow", "generation", 24, 14),
        _topic("render.requested", "workflow", "render", 24, 14),
        _topic("cancellation.requested", "workflow", "generation render", 12, 14),
        _topic("step.progressed", "generation render", "workflow gateway", 12, 0.25),
        _topic("step.completed", "workflow", "gateway"),
        _topic("step.failed", "generation render workflow", "workflow gateway notifier"),
        _topic("asset.generated", "generation render workflow", "workflow gateway notifier", 24),
        _topic("render.completed", "render", "workflow gateway notifier"),
        _topic("usage.recorded", "generation render", "billing", 24, 35),
        _topic("budget.exceeded", "billing", "", 3, 90),
        _topic("org.created", "gateway", "billing", 3, 90),
    )
}


def dead_letter_topics() -> list[Topic]:
    """`<service>.dlq` of every service: one partition, 90 days, read by people."""
    return [
        Topic(name=f"{service}.dlq", producers=(service,), consumers=(), partitions=1, retention_ms=90 * DAY_MS)
        for service in SERVICES
    ]


def all_topics() -> list[Topic]:
    return [*TOPICS.values(), *dead_letter_topics()]


def consumed_by(service: str, *, lossy: bool = False) -> list[Topic]:
    return [topic for topic in TOPICS.values() if service in topic.consumers and topic.lossy is lossy]
