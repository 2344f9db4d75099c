"""One film that many tests look at, and a place for the files that films are made of."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from fenta.contracts.timeline import Timeline
from fenta.render.engine import Rendered, render
from tests.render.media import SMALL, Shelf, timeline


@dataclass
class Film:
    """A finished render, what it was made from, and every report of progress."""

    timeline: Timeline
    rendered: Rendered
    progress: list[tuple[int, int]]
    shelf: Shelf


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
        canvas=SMALL,
        folder=folder / "out",
        on_progress=lambda done, total: told.append((done, total)),
        workers=2,
    )
    return Film(document, asyncio.run(work), told, shelf)
