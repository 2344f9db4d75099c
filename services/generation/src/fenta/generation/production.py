"""Does a step's work, from its lease to its answer: remember, send, follow, store, tell; safe at every gap."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from fenta.chassis.crash import crash_point
from fenta.chassis.database import Database, Session
from fenta.chassis.endings import Endings
from fenta.chassis.errors import TransientError
from fenta.chassis.tasks import Lease
from fenta.chassis.telemetry import log
from fenta.contracts.events import Event, Problem
from fenta.contracts.models import MODELS
from fenta.generation import answers, metrics, nodes, repository
from fenta.generation.inputs import Inputs, Reading
from fenta.generation.making import Listen, Making
from fenta.generation.models import ProviderTask
from fenta.generation.providers import (
    Provider,
    ProviderError,
    ProviderFailure,
    TransientFailure,
    UnclearAnswer,
    error_of,
)
from fenta.generation.providers.products import MadeFile
from fenta.generation.results import Result, Writing

MOST_TRIES = 5
# Local engines mostly answer within this time; what takes longer gives its slot's coroutine back between polls.
QUICK_SECONDS = 1.5
QUICK_PAUSE_SECONDS = 0.03
POLL_SECONDS = 1.0


class Overdue(ProviderError):
    class_ = "timeout"


class ObjectStore(Reading, Writing, Protocol):
    """Reading inputs and storing results."""


class Production:
    """The executor of generation's tasks. Each method of one line's length is one transaction or one outside call."""

    def __init__(
        self,
        *,
        database: Database,
        storage: ObjectStore,
        providers: Mapping[str, Provider],
        inspect: Callable[[Path, MadeFile], Awaitable[MadeFile]],
        listen: Listen,
        folder: Path,
        tell: Callable[[Event], None],
        reconcile_seconds: float = 900,
        reconcile_pause_seconds: float = 15,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._endings = Endings(database)
        self._providers = providers
        self._tell = tell
        self._reconcile_limit = timedelta(seconds=reconcile_seconds)
        self._reconcile_pause = reconcile_pause_seconds
        self._clock = clock
        self._making = Making(
            storage=storage,
            inputs=Inputs(storage, self._find_document),
            inspect=inspect,
            listen=listen,
            folder=folder,
        )

    # --- the executor -------------------------------------------------------------------------------------------------

    async def perform(self, lease: Lease) -> None:
        try:
            await self._advance(lease, await self._take(lease))
        except ProviderError as error:
            await self._cope(lease, error)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Something of ours failed, not the provider: say so without its insides."""
        away = isinstance(error, TransientError)
        problem = Problem.model_validate(
            {
                "class": "transient" if away else "internal",
                "code": "service_unavailable" if away else "internal_error",
                "message": "A part this needs was away."
                if away
                else "Something went wrong on our side; it was logged.",
                "hint": "Try again later.",
            }
        )
        await self._endings.end(lease, partial(self._fail, problem=problem))

    async def cancelled(self, lease: Lease, reason: str) -> None:
        """Stop the provider's work where that is still possible; a result that is there already is adopted."""
        async with self._writing(lease) as (_, task):
            state = task.state
        if state == "fetched" or (state == "submitted" and await self._is_done(task)):
            await self.perform(lease)
            return
        await self._stop_provider(task)
        await self._endings.end(lease, partial(self._answer_stopped, reason=reason))

    # --- from state to state ------------------------------------------------------------------------------------------

    async def _take(self, lease: Lease) -> ProviderTask:
        """A task that is found `submitting` was left by a worker that died: nobody knows whether it was sent."""
        async with self._writing(lease) as (_, task):
            first = task.start(self._clock())
            if task.state == "submitting":
                task.doubt(self._clock())
        if first:
            self._tell(answers.progressed(task.asked, 0))
        return task

    async def _advance(self, lease: Lease, task: ProviderTask) -> None:
        if task.state != "unclear" and task.is_overdue(self._clock()):
            await self._stop_provider(task)
            raise Overdue("timed_out", f"The step took longer than {task.asked.timeout_seconds} s.")
        if task.state == "unclear":
            task = await self._reconcile(lease, task)
        if task.state == "accepted":
            task = await self._begin(lease, task)
        if task.state == "submitted":
            task = await self._follow(lease, task)
        if task.state == "fetched":
            await self._endings.end(lease, self._answer)

    async def _begin(self, lease: Lease, task: ProviderTask) -> ProviderTask:
        event = task.asked
        if event.node_type == nodes.SUBTITLES:
            return await self._keep(lease, await self._making.subtitles(event))
        model = _model(task)
        request = await self._making.request(event, model)
        provider = self._providers[MODELS[model].provider]
        async with self._writing(lease) as (_, row):
            row.intend(provider=provider.name, model=model, request=request.model_dump(mode="json"))
        crash_point("generation.intended")
        provider_task_id = await provider.submit(request, key=task.step_id)
        crash_point("generation.submitted")
        return await self._adopt(lease, provider_task_id)

    async def _adopt(self, lease: Lease, provider_task_id: str) -> ProviderTask:
        async with self._writing(lease) as (_, task):
            task.adopt(provider_task_id)
        metrics.provider_calls.labels(task.provider, task.model, "accepted").inc()
        crash_point("generation.adopted")
        return task

    async def _reconcile(self, lease: Lease, task: ProviderTask) -> ProviderTask:
        """Ask the provider for what may have been sent; sending again is right only where its answer is complete."""
        provider = self._provider(task)
        if found := await provider.find(task.step_id):
            return await self._adopt(lease, found)
        if not provider.finds_all:
            raise self._still_unclear(task)
        async with self._writing(lease) as (_, row):
            row.try_again(next_model=False)
        return row

    def _still_unclear(self, task: ProviderTask) -> UnclearAnswer:
        since = self._clock() - (task.unclear_at or self._clock())
        if since < self._reconcile_limit:
            return UnclearAnswer("no_answer", "Nobody knows yet whether the provider took the request.")
        return UnclearAnswer(
            "outcome_unknown", "Nobody knows whether the provider took the request.", "It was not sent a second time."
        )

    async def _follow(self, lease: Lease, task: ProviderTask) -> ProviderTask:
        """Poll for a moment; what takes longer stays `submitted`, is given back and looked at again later."""
        provider, task_id = self._provider(task), task.provider_task_id or ""
        until = asyncio.get_running_loop().time() + QUICK_SECONDS
        while not (progress := await provider.poll(task_id)).ended:
            if asyncio.get_running_loop().time() > until:
                self._tell(answers.progressed(task.asked, progress.percent, provider_state=progress.state))
                await self._endings.later(lease, POLL_SECONDS)
                return task
            await asyncio.sleep(QUICK_PAUSE_SECONDS)
        if progress.state != "done":
            raise (
                error_of(progress.error) if progress.error else ProviderFailure("task_stopped", "The work was stopped.")
            )
        crash_point("generation.made")
        return await self._keep(lease, await self._making.result(task, provider))

    async def _keep(self, lease: Lease, result: Result) -> ProviderTask:
        crash_point("generation.copied")
        async with self._writing(lease) as (_, task):
            task.keep(result.model_dump(mode="json"))
        crash_point("generation.fetched")
        return task

    # --- how it ends --------------------------------------------------------------------------------------------------

    async def _answer(self, session: Session, lease: Lease) -> None:
        now = self._clock()
        task = await repository.get_task_for_update(session, lease.id)
        result = Result.model_validate(task.result)
        for asset_id, sha256 in result.documents.items():
            await repository.add_document(session, asset_id=asset_id, org_id=task.org_id, sha256=sha256)
        session.publish(answers.generated(task, result, now))
        for event in answers.used(task, result, now):
            session.publish(event)
        task.end("answered", now)
        session.after_commit(partial(_measure, task, now))

    async def _answer_stopped(self, session: Session, lease: Lease, *, reason: str) -> None:
        task = await repository.get_task_for_update(session, lease.id)
        task.end("cancelled", self._clock())
        session.publish(answers.failed(task.asked, answers.cancelled(reason), task.tries))

    async def _cope(self, lease: Lease, error: ProviderError) -> None:
        log.warning("provider.failed", error_class=error.class_, code=error.code, error=error.message)
        await self._endings.end(lease, partial(self._judge, error=error))

    async def _judge(self, session: Session, lease: Lease, *, error: ProviderError) -> float | None:
        """By the error's class: the same model later, look again, the next model, or give up and say why."""
        task = await repository.get_task_for_update(session, lease.id)
        task.note(error, self._clock())
        if task.provider:
            session.after_commit(metrics.provider_calls.labels(task.provider, task.model, error.code).inc)
        if _is_unclear(error):
            task.doubt(self._clock())
            return self._reconcile_pause
        pause = _pause_before_another_try(task, error)
        if pause is None:
            await self._fail(session, lease, problem=error.problem())
        return pause

    async def _fail(self, session: Session, lease: Lease, *, problem: Problem) -> None:
        task = await repository.get_task_for_update(session, lease.id)
        task.end("failed", self._clock())
        session.publish(answers.failed(task.asked, problem, task.tries))
        tries = metrics.step_tries.labels(task.asked.node_type)
        session.after_commit(partial(tries.observe, max(1, len(task.tries))))

    # --- small things -------------------------------------------------------------------------------------------------

    async def _is_done(self, task: ProviderTask) -> bool:
        try:
            return (await self._provider(task).poll(task.provider_task_id or "")).state == "done"
        except ProviderError:
            return False

    async def _stop_provider(self, task: ProviderTask) -> None:
        """Best effort: a result that comes nevertheless is not fetched."""
        if task.provider is None:
            return
        try:
            provider = self._provider(task)
            if task_id := task.provider_task_id or await provider.find(task.step_id):
                await provider.cancel(task_id)
        except ProviderError as error:
            log.warning("provider.uncancelled", code=error.code, error=error.message)

    def _provider(self, task: ProviderTask) -> Provider:
        return self._providers[task.provider or ""]

    async def _find_document(self, org_id: str, asset_id: str) -> str | None:
        async with self._database.transaction() as session:
            return await repository.find_document(session, org_id, asset_id)

    @asynccontextmanager
    async def _writing(self, lease: Lease) -> AsyncIterator[tuple[Session, ProviderTask]]:
        """A transaction that holds the lease and the row: a worker that lost its lease writes nothing."""
        async with self._database.transaction() as session:
            await lease.hold(session)
            yield session, await repository.get_task_for_update(session, lease.id)


def _model(task: ProviderTask) -> str:
    if task.chain_position >= len(task.chain):
        raise ProviderFailure("no_model", "No model is left that could do this.")
    return task.chain[task.chain_position]


def _is_unclear(error: ProviderError) -> bool:
    return isinstance(error, UnclearAnswer) and error.code != "outcome_unknown"


def _pause_before_another_try(task: ProviderTask, error: ProviderError) -> float | None:
    """Seconds until the task is taken up again, in the state that the error leaves it in; None to give it up."""
    if isinstance(error, TransientFailure):
        return _pause_after_transient(task, error)
    has_next = task.chain_position + 1 < len(task.chain)
    if error.class_ == "provider" and has_next and task.state in ("submitting", "submitted"):
        task.try_again(next_model=True)
        return 0.0
    return None


def _pause_after_transient(task: ProviderTask, error: TransientFailure) -> float | None:
    """Full jitter; polling is free and goes on, but a call that was refused is sent at most five times."""
    pause = error.retry_after_seconds or random.uniform(0, min(120, 2 * 2**task.failures))  # noqa: S311  only jitter
    if task.state == "submitting":
        if task.failures + 1 >= MOST_TRIES:
            return None
        task.try_again(next_model=False)
    return pause


def _measure(task: ProviderTask, now: datetime) -> None:
    if task.provider and task.started_at:
        seconds = (now - task.started_at).total_seconds()
        metrics.provider_call_seconds.labels(task.provider, task.model).observe(seconds)
    metrics.step_tries.labels(task.asked.node_type).observe(len(task.tries) + 1)
