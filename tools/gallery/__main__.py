"""Writes the sheets that are named, or all, into `docs/gallery`. `make gallery` runs it."""

import sys
import tempfile
from pathlib import Path

from tools.gallery import scenes, sheets

FOLDER = Path(__file__).parents[2] / "docs/gallery"


def main(wanted: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fenta-gallery-") as folder:
        studio = scenes.Studio(Path(folder))
        for name in wanted or scenes.FAMILIES:
            print(f"{name} …", flush=True)
            high = scenes.HEIGHTS.get(name, sheets.HIGH)
            sheets.write(scenes.FAMILIES[name](studio), FOLDER / f"{name}.jpg", high)


if __name__ == "__main__":
    main(sys.argv[1:])
