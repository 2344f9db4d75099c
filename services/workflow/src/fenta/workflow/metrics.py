"""What the workflow service counts."""

from prometheus_client import Counter, Gauge, Histogram

jobs_created = Counter("fenta_workflow_jobs_created", "Jobs asked for.", ["source", "priority"])
jobs_finished = Counter("fenta_workflow_jobs_finished", "Jobs that ended, by how.", ["source", "status"])
active_jobs = Gauge("fenta_workflow_active_jobs", "Jobs that have not ended.", ["status"])
job_seconds = Histogram(
    "fenta_workflow_job_seconds", "From start to end.", ["source"], buckets=(5, 10, 20, 40, 80, 160, 600, 3600)
)
steps_finished = Counter("fenta_workflow_steps_finished", "Steps that ended, by how.", ["node_type", "outcome"])
steps_reused = Counter("fenta_workflow_steps_reused", "Steps that an earlier result stood in for.", ["node_type"])
watchdog_fires = Counter("fenta_workflow_watchdog_fires", "Steps whose executor stayed silent.", ["node_type"])
