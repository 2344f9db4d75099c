"""What render tells Prometheus."""

from prometheus_client import Counter

renders = Counter("fenta_render_steps", "Steps that were answered, by node type and outcome.", ["node_type", "outcome"])
output_seconds = Counter("fenta_render_output_seconds", "Seconds of film that were encoded and delivered.")
