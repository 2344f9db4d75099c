"""Logs, traces and metrics: JSON on stdout, one wide line per thing that happened, and counters for Prometheus."""

import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

from fenta.contracts.ids import random_bits

Metric = TypeVar("Metric", Counter, Gauge, Histogram)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_SECRET = re.compile(
    r"(fenta_(?:pat|rt)_|whsec_|[rs]k_(?:live|test)_|eyJ[\w-]{8,}\.|[Bb]earer |X-Amz-Signature=)[\w.+/=~-]+"
)
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+(?=@)")
_SECRET_NAMES = re.compile(r"(?i)password|secret|token$|authorization|api_?key")

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_ids: ContextVar[Mapping[str, str | None]] = ContextVar("ids", default={})  # noqa: B039  nobody changes it

http_request_seconds = Histogram(
    "fenta_chassis_http_request_seconds",
    "How long requests take, by route and outcome.",
    ["service", "method", "route", "status"],
)
consumer_batch_messages = Histogram(
    "fenta_chassis_consumer_batch_messages",
    "Messages per committed batch.",
    ["service"],
    buckets=(1, 5, 20, 50, 100, 250, 500),
)
inbox_duplicates = Counter("fenta_chassis_inbox_duplicates", "Messages that had been handled before.", ["service"])
unknown_types = Counter("fenta_chassis_unknown_types", "Messages of a type this version does not know.", ["service"])
dead_letters = Counter("fenta_chassis_dead_letters", "Messages set aside.", ["service", "topic", "reason"])
waiting_letters = Gauge(
    "fenta_chassis_waiting_letters", "Dead letters neither sent again nor dropped.", ["service", "reason"]
)
replayed_letters = Counter(
    "fenta_chassis_replayed_letters", "Dead letters that came again because a person sent them.", ["service", "topic"]
)
outbox_oldest_seconds = Gauge("fenta_chassis_outbox_oldest_seconds", "Age of the oldest untold event.", ["service"])
outbox_rows = Gauge("fenta_chassis_outbox_rows", "Events not yet in Kafka.", ["service"])
waiting_tasks = Gauge("fenta_chassis_waiting_tasks", "Tasks nobody works on yet.", ["service", "lane"])
running_tasks = Gauge("fenta_chassis_running_tasks", "Tasks in hand in this process.", ["service", "lane"])
slot_tasks = Gauge("fenta_chassis_slot_tasks", "Tasks this process may hold at once.", ["service", "lane"])
leases_lost = Counter("fenta_chassis_leases_lost", "Tasks that another worker took over.", ["service", "lane"])
task_tries = Counter("fenta_chassis_task_tries", "Tries of tasks by outcome.", ["service", "lane", "outcome"])
storage_call_seconds = Histogram(
    "fenta_chassis_storage_call_seconds", "Calls to object storage.", ["service", "operation", "outcome"]
)


@cache
def of(metric: Metric, *labels: str) -> Metric:
    """The metric's child of these labels, for hot places: looking one up costs more than counting."""
    return metric.labels(*labels)


def set_up_logging(*, service: str, level: str, environment: str) -> None:
    """JSON lines on stdout for structlog and for the standard library alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _common(service, environment),
        structlog.processors.format_exc_info,
        _hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(RepeatFilter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("uvicorn.access", "botocore", "boto3", "urllib3", "asyncio", "faststream", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns at every start that topics are not made by themselves, which is what we want.
    logging.getLogger("fenta.faststream").setLevel(logging.ERROR)


class RepeatFilter(logging.Filter):
    """Kafka clients repeat one sentence hundreds of times a second in an outage; once in ten seconds is enough."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        now, sentence = time.monotonic(), str(record.msg)
        if now - self._last.get(sentence, -10.0) < 10:
            return False
        self._last[sentence] = now
        return True


def _common(service: str, environment: str) -> structlog.typing.Processor:
    def add(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["service"] = service
        line["environment"] = environment
        trace = traceparent.get()
        if trace:
            line["trace_id"] = trace[3:35]
        for name, value in _ids.get().items():
            if value:
                line.setdefault(name, value)
        return line

    return add


def _hide_secrets(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in line.items():
        line[key] = _hidden(key, value)
    return line


def _hidden(key: str, value: Any) -> Any:
    """The value without what nobody should read in a log: by its look, or by the name it stands under."""
    if isinstance(value, str):
        return "…" if value and _SECRET_NAMES.search(key) else _PASSWORD.sub(r"\1…", _SECRET.sub(r"\1…", value))
    if isinstance(value, dict):
        return {name: _hidden(str(name), item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(key, item) for item in value]
    return value


def valid_traceparent(text: str | None) -> str | None:
    return text if text and _TRACEPARENT.match(text) else None


def new_traceparent() -> str:
    digits = f"{random_bits(192):048x}"
    return f"00-{digits[:32]}-{digits[32:]}-01"


def child_traceparent(parent: str | None) -> str:
    """A new span in the parent's trace, or a new trace."""
    if not valid_traceparent(parent) or parent is None:
        return new_traceparent()
    return f"{parent[:36]}{random_bits(64):016x}{parent[52:]}"


def begin_trace(parent: str | None, **ids: str | None) -> None:
    """From here on this asyncio task logs these ids and publishes within this trace."""
    traceparent.set(child_traceparent(parent))
    _ids.set({**_ids.get(), **ids})


@contextmanager
def trace(parent: str | None, **ids: str | None) -> Iterator[None]:
    """The same for everything inside."""
    before, ids_before = traceparent.get(), _ids.get()
    begin_trace(parent, **ids)
    try:
        yield
    finally:
        traceparent.set(before)
        _ids.set(ids_before)
