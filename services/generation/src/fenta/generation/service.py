"""What generation does when it is told something: take on a step, or stop some."""

from datetime import UTC, datetime

from fenta.chassis.database import Session
from fenta.chassis.messages import Message
from fenta.chassis.tasks import Queue, Task
from fenta.contracts.events import CancellationRequested, GenerationRequested
from fenta.generation import answers, repository
from fenta.generation.models import ProviderTask


class GenerationService:
    """Use cases that follow events; the long work is done by `Production`, task by task."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def accept_request(self, session: Session, message: Message[GenerationRequested]) -> None:
        """Store the step and queue its work; a step that was cancelled before is answered at once."""
        event, now = message.event, datetime.now(UTC)
        task = ProviderTask(
            step_id=event.step_id,
            org_id=event.org_id,
            job_id=event.job_id,
            state="accepted",
            event=event.model_dump(mode="json"),
            accepted_at=now,
        )
        if not await repository.add_task(session, task):
            return
        if stopped := await repository.find_cancellation(session, event.job_id, event.step_id):
            task.end("cancelled", now)
            session.publish(answers.failed(event, answers.cancelled(stopped.reason), []))
            return
        await self._queue.add(session, [_queued(event)])

    async def cancel_steps(self, session: Session, message: Message[CancellationRequested]) -> None:
        """Tell the workers; what is not here yet is remembered, so that its request is answered and not begun."""
        event, now = message.event, datetime.now(UTC)
        await self._queue.cancel(session, event.job_id, event.step_ids, event.reason)
        for step_id in await _unknown(session, event):
            await repository.add_cancellation(
                session, org_id=event.org_id, job_id=event.job_id, step_id=step_id, reason=event.reason, now=now
            )


async def _unknown(session: Session, event: CancellationRequested) -> list[str]:
    """The steps that have not come yet; "" stands for all that may come."""
    if event.step_ids is None:
        return [""]
    known = await repository.known_steps(session, event.step_ids)
    return [step_id for step_id in event.step_ids if step_id not in known]


def _queued(event: GenerationRequested) -> Task:
    return Task(
        id=event.step_id,
        kind=event.node_type,
        org_id=event.org_id,
        lane=event.lane,
        job_id=event.job_id,
        priority=event.priority,
        weight=event.weight,
        expected_seconds=event.expected_seconds,
    )
