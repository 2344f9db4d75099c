"""What a ready step will be asked to do: resolved parameters, inputs, and the hash that determines its result."""

from dataclasses import dataclass
from typing import Any

from fenta.contracts import references
from fenta.contracts.digest import digest_of
from fenta.contracts.units import Size
from fenta.contracts.values import PortValue
from fenta.workflow.models import Job, Step
from fenta.workflow.plan.inputs import enter

RESOLVED_HERE = frozenset({"inputs", "run"})


@dataclass(frozen=True)
class Prepared:
    params: dict[str, Any]
    models: list[str]
    ports: dict[str, PortValue]
    fingerprint: str
    limit: dict[str, int]


def prepare(job: Job, step: Step) -> Prepared:
    """Raises `references.Missing` or ValueError when a parameter cannot be resolved."""
    node = job.plan_graph.by_id[step.node_id]
    entering = enter(job, step)
    params = resolved(job, node.params)
    models = params.pop("model", [])
    _low, limit = node.kind.cost(params, models, _size(job, entering.characters))
    digests = {port: _digests(value) for port, value in entering.ports.items()}
    parts = [node.type, node.version, params, digests, models, node.settings.take]
    return Prepared(params, models, entering.ports, digest_of(parts), limit)


def resolved(job: Job, params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = references.resolve(params, {"inputs": job.inputs}, RESOLVED_HERE)
    return found


def _size(job: Job, characters: int | None) -> Size:
    if characters is None:
        return job.bounds
    return job.bounds.model_copy(update={"characters_low": characters, "characters_high": characters})


def _digests(value: PortValue) -> Any:
    if isinstance(value, list):
        return [[entry.key, entry.value.sha256] for entry in value]
    return value.sha256


def scope(job: Job, step: Step) -> str | None:
    """Who may use this step's result again: the organisation for what is pure, the family for what was paid."""
    node = job.plan_graph.by_id[step.node_id]
    if node.settings.reuse == "never" or node.kind.executor == "workflow":
        return None
    return "org" if node.kind.node_class == "pure" or job.reuse == "org" else "family"


def may_look_up(job: Job, step: Step) -> bool:
    """Whether an earlier result could exist and be wanted."""
    allowed = scope(job, step)
    if job.reuse == "none" or allowed is None:
        return False
    return allowed == "org" or job.root_job_id != job.id
