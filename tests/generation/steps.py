"""Requests of one imagined job, and workers that carry them out."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from fenta.chassis.database import Database
from fenta.chassis.testing import told
from fenta.chassis.workers import Executor, Workers
from fenta.contracts import ids
from fenta.contracts.digest import digest_of
from fenta.contracts.events import AssetGenerated, CancellationRequested, GenerationRequested, StepFailed
from fenta.contracts.models import AUTO
from fenta.contracts.nodes import CATALOGUE
from fenta.contracts.values import PortValue, Value, inline
from tests.conftest import until
from tests.support import work

ORG, OTHER_ORG, JOB = ids.new_id("org"), ids.new_id("org"), ids.new_id("job")
BRIEF = {
    "topic": "Why the night sky is dark",
    "points": ["The universe began 13.8 billion years ago."],
    "duration_seconds": 15,
    "language": "en",
    "tone": "calm",
}
SLOTS = {"high": 4, "default": 4, "media": 4}


def request(
    node_type: str, *, key: str = "step", params: dict[str, Any] | None = None, models: list[str] | None = None,
    timeout_seconds: int = 300, job_id: str = JOB, **inputs: PortValue,
) -> GenerationRequested:  # fmt: skip
    node = CATALOGUE[node_type]
    chain = models if models is not None else (AUTO[node.capability] if node.capability else [])
    return GenerationRequested(
        org_id=ORG,
        project_id=None,
        job_id=job_id,
        step_id=ids.step_id(job_id, key),
        step_key=key,
        node_type=node_type,
        step_type=node.step_type,
        node_version=1,
        params=params or {},
        inputs=inputs,
        models=chain,
        lane=node.lane,
        expected_seconds=node.weight,
        timeout_seconds=timeout_seconds,
        fingerprint=digest_of([node_type, key]),
    )


def script_request(key: str = "script", **changes: Any) -> GenerationRequested:
    return request("Script.Generate", key=key, brief=inline("brief", BRIEF | changes))


def picture_request(key: str = "image", **more: Any) -> GenerationRequested:
    small = {"prompt": "stars at night", "width": 256, "height": 256}
    return request("Input.KAI.GenerateImage", key=key, params=small | more.pop("params", {}), **more)


def cancellation(*step_ids: str, job_id: str = JOB) -> CancellationRequested:
    return CancellationRequested(org_id=ORG, job_id=job_id, step_ids=list(step_ids) or None, reason="user")


def working(database: Database, executor: Executor) -> AbstractAsyncContextManager[Workers]:
    """Workers that take tasks while the block runs."""
    return work.working(database, executor, service="generation", slots=SLOTS)


Answer = AssetGenerated | StepFailed


async def answers(database: Database, *requests: GenerationRequested) -> list[Answer]:
    """Wait until these steps are answered, each once; the answers in the order of the requests."""

    async def answered() -> list[Answer]:
        told_of: dict[str, Answer] = {}
        for event in await told(database):
            if isinstance(event, AssetGenerated | StepFailed):
                assert event.step_id not in told_of, "a step was answered twice"
                told_of[event.step_id] = event
        ids_ = [ask.step_id for ask in requests]
        return [told_of[step_id] for step_id in ids_] if told_of.keys() >= set(ids_) else []

    found: list[Answer] = await until(answered)
    return found


def output(answer: Answer, port: str) -> Value:
    assert isinstance(answer, AssetGenerated), answer
    value = answer.outputs[port]
    assert isinstance(value, Value)
    return value
