"""One film that many tests look at, and a place for the files that films are made of."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fenta.chassis.database import Database
from fenta.chassis.settings import StorageSettings
from fenta.chassis.storage import open_storage
from fenta.contracts.events import StepProgressed
from fenta.contracts.timeline import Timeline
from fenta.render.engine import Rendered, render
from tests.embedded.conftest import RunningPart
from tests.render.media import SMALL, Shelf, timeline
from tests.render.service_parts import Parts, Replica, TheEngine


@dataclass
class Film:
    """A finished render, what it was made from, and every report of progress."""

    timeline: Timeline
    rendered: Rendered
    progress: list[tuple[int, int]]
    shelf: Shelf

    @property
    def video(self) -> Path:
        return self.rendered.films[0].video

    @property
    def frames(self) -> int:
        return self.rendered.films[0].frames


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("film")
    (folder / "shelf").mkdir()
    shelf = Shelf(folder / "shelf")
    told: list[tuple[int, int]] = []
    document = timeline(shelf)
    work = render(
        document,
        sources=shelf.files,
        canvases=[SMALL],
        folder=folder / "out",
        on_progress=lambda done, total: told.append((done, total)),
        workers=2,
    )
    return Film(document, asyncio.run(work), told, shelf)


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageSettings]:
    """The local object store, as one process for all tests."""
    keys = {"AWS_ACCESS_KEY_ID": "fenta", "AWS_SECRET_ACCESS_KEY": "only-for-tests", "S3_BUCKET_NAME": "films"}
    folder = tmp_path_factory.mktemp("objects") / "store"
    part = RunningPart("fenta.embedded.objectstore", folder, environment={**os.environ, **keys})
    given = {name.lower(): value for name, value in keys.items()}
    yield StorageSettings(**given, s3_endpoint_url=f"http://{part.servers}")  # type: ignore[arg-type]
    part.stop()


@pytest.fixture
async def parts(
    database_of: Callable[[str], Awaitable[Database]], object_store: StorageSettings, tmp_path: Path
) -> AsyncIterator[Parts]:
    database, engine = await database_of("render"), TheEngine()
    told: list[StepProgressed] = []
    async with open_storage(object_store, service="render") as storage:
        replica = Replica(database, storage, tmp_path / "work", engine, told)
        yield Parts(database, storage, replica, engine, tmp_path / "work", told)
