"""One video from a brief: estimate, order, follow, download, settle."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from fenta.contracts import nodes

from . import report
from .api import Api, Json, Refused, Unreachable
from .bill import Bill, settle
from .board import Board
from .download import download
from .following import follow
from .progress import view_on

CANCEL_SECONDS = 15.0
FINAL = {"completed", "failed", "cancelled"}


class JobEnded(Exception):
    """The job ended without its video. `service` is whose log says more."""

    def __init__(self, job: Json, *, step: str | None = None, service: str = "workflow") -> None:
        error: Mapping[str, str] = job.get("error") or {}
        self.job_id: str = job["id"]
        self.code = error.get("code") or job["status"]
        self.sentence = error.get("message") or error.get("detail") or f"The job is {job['status']}."
        self.hint = error.get("hint")
        self.step = step
        self.service = service
        super().__init__(self.sentence)


class Stopwatch:
    """How long each phase took, in the order in which they ended."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._started = time.monotonic()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.phases[name] = time.monotonic() - started

    @property
    def total(self) -> float:
        return time.monotonic() - self._started


@dataclass(frozen=True)
class Production:
    """What came of it."""

    job_id: str
    files: list[Path]
    bill: Bill


@dataclass(frozen=True)
class Producer:
    """Asks the interface for videos and shows on the console what happens."""

    api: Api
    console: Console
    watch: Stopwatch = field(default_factory=Stopwatch)

    def make(self, body: Json, folder: Path) -> Production:
        """Raises JobEnded, Refused, Unreachable or Incomplete; a KeyboardInterrupt cancels the job and goes on."""
        with self.watch.phase("estimate"):
            report.show_estimate(self.console, self.api.post("/video/generate", body, dry_run="true"))
        with self.watch.phase("production"):
            job_id = self.api.post("/video/generate", body, key=f"fenta-{uuid4()}")["id"]
            self._cancelling(job_id, body["topic"])
        with self.watch.phase("download"):
            job = self._completed(job_id)
            files = download(job["outputs"], self.api.get(f"/jobs/{job_id}/manifest"), folder)
        with self.watch.phase("settlement"):
            bill = settle(self.api, job_id)
        return Production(job_id, files, bill)

    def _cancelling(self, job_id: str, title: str) -> None:
        try:
            self._follow(job_id, title)
        except KeyboardInterrupt:
            self._cancel(job_id)
            raise

    def _follow(self, job_id: str, title: str) -> None:
        board = Board(names=lambda: {step["id"]: step["label"] for step in self._steps(job_id)})
        with view_on(self.console, board, title) as view:
            for message in follow(self.api, job_id):
                for change in board.take(message):
                    view.show(change)

    def _completed(self, job_id: str) -> Json:
        job = self.api.get(f"/jobs/{job_id}")
        if job["status"] != "completed":
            raise self._ended(job)
        return job

    def _ended(self, job: Json) -> JobEnded:
        key = (job.get("error") or {}).get("step_key")
        step = next((step for step in self._steps(job["id"]) if step["key"] == key), None)
        if step is None:
            return JobEnded(job)
        return JobEnded(job, step=step["label"], service=_executor_of(step["type"]))

    def _steps(self, job_id: str) -> list[Json]:
        steps: list[Json] = self.api.get(f"/jobs/{job_id}/steps")["data"]
        return steps

    def _cancel(self, job_id: str) -> None:
        """Also waits a little for it, so that a stack that stops next has nothing left to do."""
        self.console.print("Cancelling the job …")
        try:
            self.api.post(f"/jobs/{job_id}/cancel")
            deadline = time.monotonic() + CANCEL_SECONDS
            while self.api.get(f"/jobs/{job_id}")["status"] not in FINAL and time.monotonic() < deadline:
                time.sleep(0.2)
            self.console.print("The job is cancelled; what was held for it is released.")
        except (Refused, Unreachable) as problem:
            self.console.print(f"It could not be cancelled: {problem}", markup=False)


def _executor_of(step_type: str) -> str:
    return next((kind.executor for kind in nodes.CATALOGUE.values() if kind.step_type == step_type), "workflow")
