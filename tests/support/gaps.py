"""The named places at which a process may die, which services come by them, and how tests let them die there."""

import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import service_command

Gap = tuple[str, str]

ENV = shutil.which("env") or "/usr/bin/env"
SOURCES = Path(__file__).parents[2]
_WORKERS = ("generation", "render", "notifier")

# Of the chassis, by the services that come by; in the order of what happens to an event.
SHARED: dict[str, Sequence[str]] = {
    "outbox.written": SERVICES,
    "outbox.committed": SERVICES,
    "relay.read": SERVICES,
    "relay.sent": SERVICES,
    "relay.forgotten": SERVICES,
    "consumer.fetched": SERVICES,
    "consumer.claimed": SERVICES,
    "consumer.dispatched": SERVICES,
    "consumer.handled": SERVICES,
    "consumer.committed": SERVICES,
    "consumer.acknowledged": SERVICES,
    "letters.stored": SERVICES,
    "letters.committed": SERVICES,
    "task.claimed": _WORKERS,
    "task.leased": _WORKERS,
    "object.fetched": ("render",),
    "object.stored": ("workflow", "generation", "render"),
    "ending.written": _WORKERS,
    "ending.committed": _WORKERS,
}
OWN: dict[str, Sequence[str]] = {
    "gateway": ("idempotency.claimed", "idempotency.answered", "idempotency.stored"),
    "workflow": ("job.stored", "job.planned", "job.woken"),
    "generation": (
        "generation.intended",
        "generation.submitted",
        "generation.adopted",
        "generation.made",
        "generation.downloaded",
        "generation.copied",
        "generation.fetched",
    ),
    "render": (
        "render.begun",
        "timeline.stored",
        "film.gathered",
        "segments.ordered",
        "film.rendering",
        "segment.encoding",
        "segment.noted",
        "segment.kept",
        "film.joined",
        "film.rendered",
        "film.stored",
    ),
    "billing": ("books.written", "holds.released"),
    "notifier": ("delivery.begun", "delivery.sent"),
}


def dying(folder: Path) -> Callable[[str], list[str]]:
    """How a stack starts a service whose gaps are armed by files in `folder`/<service>."""

    def command(service: str) -> list[str]:
        (folder / service).mkdir(parents=True, exist_ok=True)
        return [ENV, f"FENTA_CRASH_POINTS={folder / service}", *service_command(service)]

    return command


def all_gaps() -> list[Gap]:
    """Every gap in every service that comes by it."""
    shared = [(service, point) for point, services in SHARED.items() for service in services]
    return shared + [(service, point) for service, points in OWN.items() for point in points]


def one_of_each() -> list[Gap]:
    """Every gap once; a shared one in the service that has the fewest so far."""
    load = {service: len(points) for service, points in OWN.items()}
    found = [(service, point) for service, points in OWN.items() for point in points]
    for point, services in SHARED.items():
        service = min(services, key=load.__getitem__)
        load[service] += 1
        found.append((service, point))
    return found


def rounds(gaps: Iterable[Gap], *, at_once: int = 1) -> list[list[Gap]]:
    """So many gaps of each service at a time, until all have had their turn."""
    by_service: dict[str, list[Gap]] = defaultdict(list)
    for gap in gaps:
        by_service[gap[0]].append(gap)
    longest = max(map(len, by_service.values()))
    return [
        [gap for ours in by_service.values() for gap in ours[start : start + at_once]]
        for start in range(0, longest, at_once)
    ]


def named_in_source() -> dict[str, set[str]]:
    """Every name in the code, with the part (`chassis` or a service) that names it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES.glob("*/*/src/fenta/**/*.py"):
        part = path.relative_to(SOURCES).parts[1]
        for name in re.findall(r'crash_point\("([^"]*)"\)', path.read_text()):
            found[name].add(part)
    return dict(found)
