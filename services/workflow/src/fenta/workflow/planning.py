"""The shell around the plan: it loads, locks, asks for facts, writes what the plan commands, and wakes what waits."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from fenta.chassis.database import Session
from fenta.chassis.telemetry import log, trace
from fenta.contracts.events import Event, JobEnded, JobProgressed, StepCompleted, StepFailed
from fenta.workflow import metrics
from fenta.workflow.limits import Room
from fenta.workflow.models import Job
from fenta.workflow.plan import Command, Facts, Happening, LookUp, Publish, Remember, plan
from fenta.workflow.repository import JobRepository, ResultRepository

PROGRESS_SECONDS = 1.0
REMEMBERED_JOBS = 10_000


class Planner:
    """Plans jobs inside a transaction of the caller, who has locked them."""

    def __init__(self, *, room: Room, publish_lossy: Callable[[Event], None]) -> None:
        self._room = room
        self._live = LiveProgress(publish_lossy)

    async def plan(self, session: Session, job: Job, happenings: Sequence[Happening]) -> None:
        """Change the job by what happened and write down everything that follows."""
        with trace(job.traceparent, org_id=job.org_id, job_id=job.id):
            facts = await self._facts(session, job)
            commands = plan(job, happenings, facts)
            while wanted := [command for command in commands if isinstance(command, LookUp)]:
                await self._write(session, job, commands)
                results = await ResultRepository(session).look_up(job, [key for look in wanted for key in look.scopes])
                facts = Facts(facts.now, {**facts.results, **results}, facts.room, facts.may_run)
                commands = plan(job, [], facts)
            await self._write(session, job, commands)

    async def _facts(self, session: Session, job: Job) -> Facts:
        jobs = JobRepository(session)
        running = await jobs.running(job.org_id) if job.status in ("pending", "queued") else 0
        flying = await jobs.steps_in_flight(job.org_id)
        return Facts(
            now=datetime.now(UTC),
            room=max(0, self._room.steps_in_flight - flying),
            may_run=running < self._room.jobs_running,
        )

    async def _write(self, session: Session, job: Job, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Publish):
                self._publish(session, command.event)
            elif isinstance(command, Remember):
                await ResultRepository(session).remember(job, command)
        if any(isinstance(command, Publish) and isinstance(command.event, JobEnded) for command in commands):
            await JobRepository(session).wake_oldest(job.org_id, job.updated_at)
            _note_end(job)

    def _publish(self, session: Session, event: Event) -> None:
        if isinstance(event, JobProgressed):
            session.after_commit(lambda: self._live.tell(event))
            return
        if isinstance(event, StepCompleted):
            metrics.steps_finished.labels(event.node_type, event.status).inc()
            if event.reused_from:
                metrics.steps_reused.labels(event.node_type).inc()
        elif isinstance(event, StepFailed):
            metrics.watchdog_fires.labels(event.node_type).inc()
        session.publish(event)


def _note_end(job: Job) -> None:
    metrics.jobs_finished.labels(job.kind, job.status).inc()
    seconds = (job.updated_at - (job.started_at or job.created_at)).total_seconds()
    metrics.job_seconds.labels(job.kind).observe(seconds)
    log.info(
        "job.ended", status=job.status, duration_ms=round(seconds * 1000), error_code=(job.error or {}).get("code")
    )


class LiveProgress:
    """At most one number a second per job, but every change of status at once."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._told: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def tell(self, event: JobProgressed) -> None:
        told_at, status = self._told.get(event.job_id, (0.0, ""))
        now = time.monotonic()
        if status == event.status and now - told_at < PROGRESS_SECONDS:
            return
        self._told[event.job_id] = (now, event.status)
        self._told.move_to_end(event.job_id)
        if len(self._told) > REMEMBERED_JOBS:
            self._told.popitem(last=False)
        self._publish(event)
