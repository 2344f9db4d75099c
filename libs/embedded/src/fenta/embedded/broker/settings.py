"""What may be set for one topic, under Kafka's names, and how the broker guards its files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .errors import Code, Refused

WEEK_MS = 7 * 24 * 3600 * 1000
MEBIBYTE = 1 << 20


class Fsync(StrEnum):
    """When written bytes are forced to the disk; a killed process loses nothing in any case."""

    NEVER = "never"
    INTERVAL = "interval"
    ALWAYS = "always"


@dataclass(frozen=True)
class TopicSettings:
    """Ages in milliseconds, sizes in bytes; -1 for "without limit"."""

    retention_ms: int = WEEK_MS
    retention_bytes: int = -1
    segment_ms: int = WEEK_MS
    segment_bytes: int = 64 * MEBIBYTE
    max_message_bytes: int = MEBIBYTE + 12

    @property
    def roll_after_ms(self) -> int:
        """A segment can go only as a whole, so it may not collect more than its topic's retention."""
        return min(self.segment_ms, self.retention_ms) if self.retention_ms >= 0 else self.segment_ms

    def changed(self, configs: Mapping[str, str | None]) -> "TopicSettings":
        """With these of Kafka's settings applied; Refused for one that this broker cannot honour."""
        changes: dict[str, Any] = {}
        for name, value in configs.items():
            if name in NUMBERS:
                changes[NUMBERS[name]] = _number(name, value)
            elif FIXED.get(name) != value and name not in IGNORED:
                raise Refused(Code.INVALID_CONFIG, f"{name}={value} is not offered by the embedded broker")
        return replace(self, **changes)

    def described(self) -> dict[str, str]:
        return {**{name: str(getattr(self, field)) for name, field in NUMBERS.items()}, **FIXED}


NUMBERS = {
    "retention.ms": "retention_ms",
    "retention.bytes": "retention_bytes",
    "segment.ms": "segment_ms",
    "segment.bytes": "segment_bytes",
    "max.message.bytes": "max_message_bytes",
}
FIXED = {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime", "compression.type": "producer"}
# These say something about replicas, of which there is one.
IGNORED = {"min.insync.replicas", "unclean.leader.election.enable"}


def _number(name: str, value: str | None) -> int:
    try:
        number = int(value or "")
    except ValueError:
        raise Refused(Code.INVALID_CONFIG, f"{name} must be a whole number") from None
    if number < -1 or (number < 1 and not name.startswith("retention")):
        raise Refused(Code.INVALID_CONFIG, f"{name} is too small")
    return number
