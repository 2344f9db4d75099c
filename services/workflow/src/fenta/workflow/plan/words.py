"""What every event about a job or a step says."""

from typing import Any

from fenta.workflow.models import Job, Step


def job_words(job: Job) -> dict[str, Any]:
    return {"org_id": job.org_id, "project_id": job.project_id, "job_id": job.id}


def step_words(job: Job, step: Step) -> dict[str, Any]:
    kind = job.plan_graph.by_id[step.node_id].kind
    return {
        **job_words(job),
        "step_id": step.id,
        "step_key": step.key,
        "node_type": step.node_type,
        "step_type": kind.step_type,
    }
