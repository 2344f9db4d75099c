"""A service that turns each step's event into a task and each task into the next step's event.

A step is an outbox row, sent by the relay to Kafka, read by the consumer, claimed in the inbox, stored as a task with
its lease, and finished behind the fence together with the outbox row of the next step. Metrics are counted and traces
handed on, as in every service.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fenta.chassis.consumer import Consumer
from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.endings import Endings
from fenta.chassis.messages import Message, on_batch
from fenta.chassis.relay import Relay
from fenta.chassis.service import settle_memory
from fenta.chassis.tasks import Lease, Queue, Task
from fenta.chassis.workers import Workers
from fenta.contracts.events import Problem, StepFailed
from fenta.embedded.topics import create_topics
from tools.bench.bus.stage import SERVICE, Stage

SLOTS = 4000
LANE = "high"
ERROR = Problem.model_validate({"class": "internal", "code": "bench", "message": "a step"})


class Path:
    """The running service; `queue` is its workers."""

    queue: Queue

    def __init__(self, database: Database) -> None:
        self._database = database
        self._endings = Endings(database)
        self.ended = 0
        self._wanted = 0
        self._steps = 1
        self._done = asyncio.Event()
        # Events per transaction of the consumer, and when the work on the last step began.
        self.commits: list[int] = []
        self.last_begun = 0.0

    def serve(self, *, steps: int) -> None:
        """Take part in the walks of another process, whose jobs take so many steps."""
        self._steps = steps

    async def walk(self, *, jobs: int, steps: int) -> float:
        """Let so many jobs take so many steps each; answers the seconds until the last one has ended."""
        self._wanted, self._steps = self.ended + jobs * steps, steps
        self._done.clear()
        started = time.perf_counter()
        async with self._database.transaction() as session:
            for number in range(jobs):
                session.publish(step_of(f"job_{time.time_ns()}_{number}", 1))
        await self._done.wait()
        return time.perf_counter() - started

    async def store(self, session: Session, messages: Sequence[Message[StepFailed]]) -> None:
        self.commits.append(len(messages))
        await self.queue.add(session, [_task(message.event) for message in messages])

    async def perform(self, lease: Lease) -> None:
        number = lease.payload["number"]
        self.last_begun = time.perf_counter()
        following = [step_of(lease.payload["job_id"], number + 1)] if number < self._steps else []
        await self._endings.finish(lease, *following)
        self.count(1)

    def count(self, steps: int) -> None:
        """So many have ended, here or in another process."""
        self.ended += steps
        if self.ended >= self._wanted:
            self._done.set()

    async def give_up(self, lease: Lease, error: Exception) -> None:
        raise error

    async def cancelled(self, lease: Lease, reason: str) -> None:
        raise AssertionError(reason)


def step_of(job_id: str, number: int) -> StepFailed:
    """Any event that one service may both write and read."""
    return StepFailed(
        org_id=f"org_{hash(job_id) % 20}", job_id=job_id, step_id=f"{job_id}/{number}", step_key=str(number),
        node_type="Script.Generate", step_type="SCRIPT", error=ERROR,
    )  # fmt: skip


def _task(event: StepFailed) -> Task:
    payload = {"job_id": event.job_id, "number": int(event.step_key)}
    return Task(
        id=event.step_id, kind="step", org_id=event.org_id, lane=LANE, job_id=event.job_id, payload=payload
    )  # fmt: skip


@asynccontextmanager
async def open_path(stage: Stage, *, instance_id: str = "0") -> AsyncIterator[Path]:
    """The service in this process."""
    await create_topics(stage.servers, partitions_max=stage.partitions, replication=1)
    async with open_database(stage.url, service=SERVICE) as database:
        path = Path(database)
        workers = Workers(
            database=database,
            executor=path,
            instance_id=instance_id,
            service=SERVICE,
            slots={LANE: SLOTS},
            on_fatal=print,
        )
        path.queue = workers
        routes = [on_batch([StepFailed], path.store)]
        consumer = Consumer(
            service=SERVICE, database=database, settings=stage.settings_of(instance_id), routes=routes, on_fatal=print
        )  # fmt: skip
        relay = Relay(database=database, settings=stage.settings, service=SERVICE)
        running = [asyncio.create_task(part.run()) for part in (workers, consumer, relay)]
        settle_memory()
        try:
            yield path
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
