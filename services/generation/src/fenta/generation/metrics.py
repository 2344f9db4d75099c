"""What generation tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

provider_calls = Counter(
    "fenta_generation_provider_calls",
    "Calls that were sent to providers, by outcome.",
    ["provider", "model", "outcome"],
)
provider_call_seconds = Histogram(
    "fenta_generation_provider_call_seconds",
    "From the first hand on a step to its bytes in our storage.",
    ["provider", "model"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800),
)
step_tries = Histogram(
    "fenta_generation_step_tries",
    "Tries that a step took, the good one included.",
    ["node_type"],
    buckets=(1, 2, 3, 5, 8),
)
open_provider_tasks = Gauge(
    "fenta_generation_open_provider_tasks", "Tasks that are not answered yet, by state.", ["provider", "state"]
)
