"""What notifier tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

attempts = Counter("fenta_notifier_attempts", "HTTP tries by what came of them.", ["outcome"])
attempt_seconds = Histogram("fenta_notifier_attempt_seconds", "How long tries take, whatever comes of them.")
first_attempt_delay_seconds = Histogram(
    "fenta_notifier_first_attempt_delay_seconds",
    "From the storing of a delivery to its first try.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600),
)
due_deliveries = Gauge("fenta_notifier_due_deliveries", "Deliveries whose next try is due.")
oldest_due_seconds = Gauge("fenta_notifier_oldest_due_seconds", "For how long the oldest of them has been due.")
endpoints = Gauge("fenta_notifier_endpoints", "Endpoints by status.", ["status"])
