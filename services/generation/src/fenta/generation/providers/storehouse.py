"""What the local provider keeps on disk of a task: the request, then the outcome and its files."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from fenta.contracts.events import Problem
from fenta.generation.providers import TaskUnknown
from fenta.generation.providers.products import Product


class Outcome(BaseModel):
    model_config = ConfigDict(frozen=True)

    state: Literal["done", "failed", "cancelled"]
    product: Product | None = None
    problem: Problem | None = None


class Storehouse:
    """One folder per task. A file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files_folder(self, task_id: str) -> Path:
        return self._folder / task_id / "files"

    def keep_request(self, task_id: str, request: dict[str, Any]) -> None:
        folder = self._folder / task_id
        folder.mkdir(parents=True)
        _write_whole(folder / "request.json", json.dumps(request).encode())

    def request(self, task_id: str) -> dict[str, Any]:
        """Raises TaskUnknown."""
        request: dict[str, Any] = json.loads(self._read(task_id, "request.json"))
        return request

    def keep_outcome(self, task_id: str, outcome: Outcome, *, replace: bool = True) -> None:
        """Raises TaskUnknown for a task that was never accepted or is forgotten."""
        known = self.outcome(task_id)
        if known is None or replace:
            _write_whole(self._folder / task_id / "outcome.json", outcome.model_dump_json(by_alias=True).encode())

    def outcome(self, task_id: str) -> Outcome | None:
        """None while there is none. Raises TaskUnknown."""
        self._read(task_id, "request.json")
        try:
            return Outcome.model_validate_json(self._read(task_id, "outcome.json"))
        except TaskUnknown:
            return None

    def copy_files(self, task_id: str, product: Product, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for file in product.files:
            shutil.copyfile(self.files_folder(task_id) / file.name, folder / file.name)

    def forget(self, *, older_than: float) -> None:
        """Drop the tasks that were accepted before a moment (seconds since 1970); the ledger keeps their lines."""
        for folder in self._folder.glob("local_*"):
            if folder.stat().st_mtime < older_than:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self, task_id: str, name: str) -> bytes:
        # A task id becomes a folder's name, so nothing else may come through.
        if not task_id.replace("_", "").replace("-", "").isalnum():
            raise TaskUnknown(task_id)
        try:
            return (self._folder / task_id / name).read_bytes()
        except FileNotFoundError as error:
            raise TaskUnknown(task_id) from error


def _write_whole(path: Path, data: bytes) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
