"""Our own engines behind the face of an outside provider: accept, work in helper processes, keep results a while."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from fenta.contracts.ids import new_id
from fenta.generation.providers import ProviderError, TaskUnknown, TransientFailure, error_of
from fenta.generation.providers.ledger import Call, Ledger
from fenta.generation.providers.products import Product, Progress
from fenta.generation.providers.requests import Request, request_of
from fenta.generation.providers.storehouse import Outcome, Storehouse
from fenta.generation.providers.workshop import Workshop

DAY_SECONDS = 86_400


class LocalHouse:
    """The provider `local`. A call is accepted once its ledger line is on disk; lost work is done again."""

    name = "local"
    finds_all = True

    def __init__(
        self,
        folder: Path,
        workshop: Workshop,
        *,
        keep_seconds: float = DAY_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl")
        self._store = Storehouse(folder / "tasks")
        self._workshop = workshop
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._store.forget, older_than=self._clock() - self._keep_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        running = list(self._running.values())
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def submit(self, request: Request, *, key: str) -> str:
        task_id = new_id("local")
        accepted = Call(
            task_id=task_id,
            key=key,
            capability=request.capability,
            model=request.model,
            accepted_at=datetime.fromtimestamp(self._clock(), UTC),
        )
        try:
            task_id = await asyncio.to_thread(self._accept, accepted, request)
        except OSError as error:
            raise TransientFailure("engine_folder_unwritable", f"The local engines cannot write: {error}") from error
        self._begin(task_id)
        return task_id

    def _accept(self, accepted: Call, request: Request) -> str:
        self._store.keep_request(accepted.task_id, request.model_dump(mode="json"))
        return self.ledger.append(accepted)

    async def poll(self, task_id: str) -> Progress:
        outcome = await asyncio.to_thread(self._store.outcome, task_id)
        if outcome is None:
            # After a restart nobody works on it any more: engines are deterministic, so it is simply begun again.
            self._begin(task_id)
            return Progress(state="working", percent=50)
        return Progress(state=outcome.state, percent=100, error=outcome.problem)

    async def fetch(self, task_id: str, folder: Path) -> Product:
        outcome = await asyncio.to_thread(self._store.outcome, task_id)
        if outcome is None or outcome.product is None:
            raise error_of(outcome.problem) if outcome and outcome.problem else TaskUnknown(task_id)
        await asyncio.to_thread(self._store.copy_files, task_id, outcome.product, folder)
        return outcome.product

    async def find(self, key: str) -> str | None:
        return await asyncio.to_thread(self.ledger.find, key)

    async def cancel(self, task_id: str) -> None:
        if work := self._running.get(task_id):
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        with contextlib.suppress(TaskUnknown):
            await asyncio.to_thread(self._store.keep_outcome, task_id, Outcome(state="cancelled"), replace=False)

    def _begin(self, task_id: str) -> None:
        if task_id not in self._running:
            work = asyncio.ensure_future(self._work(task_id))
            self._running[task_id] = work
            work.add_done_callback(lambda _: self._running.pop(task_id, None))

    async def _work(self, task_id: str) -> None:
        request = request_of(await asyncio.to_thread(self._store.request, task_id))
        try:
            product = await self._workshop.make(request, self._store.files_folder(task_id))
            outcome = Outcome(state="done", product=product)
        except ProviderError as error:
            outcome = Outcome(state="failed", problem=error.problem())
        await asyncio.to_thread(self._store.keep_outcome, task_id, outcome)
