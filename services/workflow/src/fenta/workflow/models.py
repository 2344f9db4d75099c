"""Jobs and steps: what is stored, and which changes of state they allow."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fenta.chassis.database import Base
from fenta.chassis.errors import Conflict
from fenta.contracts import units
from fenta.contracts.ids import step_id
from fenta.contracts.units import Size
from fenta.workflow.graph import Graph

STEP_FINAL = frozenset({"completed", "failed", "skipped", "cancelled"})
STEP_IN_FLIGHT = frozenset({"queued", "running"})
STEP_NEXT = {
    "pending": {"queued", "completed", "skipped", "cancelled"},
    "queued": {"running", "completed", "failed", "skipped", "cancelled"},
    "running": {"completed", "failed", "skipped", "cancelled"},
}
JOB_FINAL = frozenset({"completed", "failed", "cancelled"})
JOB_NEXT = {
    "pending": {"queued", "failed", "cancelled"},
    "queued": {"running", "cancelling", "cancelled", "failing", "failed"},
    "running": {"waiting_for_budget", "completed", "failing", "failed", "cancelling", "cancelled"},
    "waiting_for_budget": {"running", "failing", "failed", "cancelling", "cancelled"},
    "cancelling": {"cancelled"},
    "failing": {"failed"},
}


class Step(Base):
    """One node's execution inside a job. `axis` holds the item keys that the step stands for."""

    __tablename__ = "step"

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    org_id: Mapped[str]
    position: Mapped[int]
    key: Mapped[str]
    node_id: Mapped[str]
    node_type: Mapped[str]
    axis: Mapped[list[str]]
    status: Mapped[str]
    progress: Mapped[int]
    fingerprint: Mapped[str | None]
    reusable: Mapped[str | None]
    limit: Mapped[dict[str, int]]
    models: Mapped[list[str]]
    outputs: Mapped[dict[str, Any]]
    assets: Mapped[list[dict[str, Any]]]
    usage: Mapped[list[dict[str, Any]]]
    error: Mapped[dict[str, Any] | None]
    tries: Mapped[list[dict[str, Any]]]
    reused_from: Mapped[str | None]
    requested_at: Mapped[datetime | None]
    progressed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    @property
    def final(self) -> bool:
        return self.status in STEP_FINAL

    @property
    def in_flight(self) -> bool:
        return self.status in STEP_IN_FLIGHT

    @property
    def spent(self) -> dict[str, int]:
        return units.add(*({line["unit"]: line["quantity"]} for line in self.usage))

    def move_to(self, status: str, now: datetime) -> None:
        """Raises Conflict for a change that the state does not allow."""
        if status not in STEP_NEXT.get(self.status, set()):
            raise Conflict("job_final", f"Step {self.id} cannot go from {self.status} to {status}.")
        self.status = status
        if status in STEP_FINAL:
            self.completed_at = now
            self.progress = 100 if status in ("completed", "skipped") else self.progress


class Job(Base):
    """One production: the execution of one graph."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    project_id: Mapped[str | None]
    root_job_id: Mapped[str]
    parent_job_id: Mapped[str | None]
    created_by: Mapped[str]
    title: Mapped[str]
    kind: Mapped[str]
    source: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, str]]
    priority: Mapped[str]
    on_budget: Mapped[str]
    reuse: Mapped[str]
    max_cost_micros: Mapped[int | None]
    weight: Mapped[int]
    graph: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    size: Mapped[dict[str, Any]]
    estimate: Mapped[dict[str, Any]]
    status: Mapped[str]
    progress: Mapped[int]
    waiting: Mapped[dict[str, Any] | None]
    hold: Mapped[dict[str, int]]
    revision: Mapped[int]
    asked_revision: Mapped[int]
    prices: Mapped[dict[str, Any]]
    outputs: Mapped[dict[str, Any]]
    error: Mapped[dict[str, Any] | None]
    cancel_reason: Mapped[str | None]
    cancelled_by: Mapped[str | None]
    traceparent: Mapped[str | None]
    deadline_at: Mapped[datetime]
    wake_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    stopping_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    steps: Mapped[list[Step]] = relationship(lazy="raise", order_by=Step.position, cascade="all, delete-orphan")

    @property
    def final(self) -> bool:
        return self.status in JOB_FINAL

    @property
    def plan_graph(self) -> Graph:
        """The frozen graph, read once per load."""
        if "_graph" not in self.__dict__:
            self.__dict__["_graph"] = Graph.model_validate(self.graph)
        graph: Graph = self.__dict__["_graph"]
        return graph

    @property
    def bounds(self) -> Size:
        return Size.model_validate(self.size)

    @property
    def spent(self) -> dict[str, int]:
        return units.add(*(step.spent for step in self.steps))

    @property
    def usage_ids(self) -> list[str]:
        return [line["usage_id"] for step in self.steps for line in step.usage]

    @property
    def in_flight(self) -> list[Step]:
        return [step for step in self.steps if step.in_flight]

    def find(self, node_id: str, axis: list[str]) -> Step | None:
        return next((step for step in self.steps if step.node_id == node_id and step.axis == axis), None)

    def of_node(self, node_id: str) -> list[Step]:
        return [step for step in self.steps if step.node_id == node_id]

    def open_step(self, node_id: str, node_type: str, axis: list[str]) -> Step:
        """The step of a node for these item keys; made when it is not there yet."""
        key = f"{node_id}[{','.join(axis)}]" if axis else node_id
        step = Step(
            id=step_id(self.id, key),
            job_id=self.id,
            org_id=self.org_id,
            position=len(self.steps),
            key=key,
            node_id=node_id,
            node_type=node_type,
            axis=axis,
            status="pending",
            progress=0,
            limit={},
            models=[],
            outputs={},
            assets=[],
            usage=[],
            tries=[],
        )
        self.steps.append(step)
        return step

    def move_to(self, status: str, now: datetime) -> None:
        """Raises Conflict for a change that the state does not allow."""
        if status not in JOB_NEXT.get(self.status, set()):
            raise Conflict("job_final", f"Job {self.id} cannot go from {self.status} to {status}.")
        self.status = status
        if status in ("cancelling", "failing"):
            self.stopping_at = now
        if status in JOB_FINAL:
            self.ended_at = now


class Result(Base):
    """What a fingerprint gave once: found again by later jobs of the family, or of the organisation."""

    __tablename__ = "result"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    root_job_id: Mapped[str] = mapped_column(primary_key=True)
    reusable: Mapped[str]
    step_id: Mapped[str]
    outputs: Mapped[dict[str, Any]]
    assets: Mapped[list[dict[str, Any]]]
