"""The gateway's own metrics; those of every service are the chassis's."""

from prometheus_client import Counter, Gauge, Histogram

signups = Counter("fenta_gateway_signups", "Accounts that were registered.")
rate_limited = Counter("fenta_gateway_rate_limited", "Requests refused because there were too many.", ["kind"])
replayed = Counter("fenta_gateway_replayed", "POSTs answered from an idempotency key.")
open_streams = Gauge("fenta_gateway_open_streams", "Live streams that are open in this process.")
owner_seconds = Histogram(
    "fenta_gateway_owner_seconds", "How long an owner takes to begin its answer.", ["owner", "outcome"]
)
