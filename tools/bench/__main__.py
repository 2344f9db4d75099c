"""Runs the benches that are named, or all; each writes its JSON, and the page is made from what is there."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

from tools.bench import __path__ as here
from tools.bench.page import render, write_results

DOCS = Path(__file__).parents[2] / "docs"
NO_BENCH = ("__main__", "page")
# Takes as long as it is told to, and is asked for by its name.
LONG = ("soak",)


def names() -> list[str]:
    """Modules of this package that can be run; some only help others."""
    found = [module.name for module in pkgutil.iter_modules(here) if module.name not in (*NO_BENCH, *LONG)]
    return [name for name in found if hasattr(importlib.import_module(f"tools.bench.{name}"), "run")]


def main(wanted: list[str]) -> None:
    if len(wanted) == 1:
        return measure(wanted[0])
    for name in wanted or names():
        # In a process of its own, so that nobody's memory counts as another's.
        subprocess.run([sys.executable, "-m", "tools.bench", name], check=True)
    return None


def measure(name: str) -> None:
    print(f"{name} …", flush=True)
    results = importlib.import_module(f"tools.bench.{name}").run()
    for result in results:
        print(f"  {result['what']}: {result['value']} (goal {result['goal'] or '-'})", flush=True)
    if results:
        write_results(DOCS / "bench", name, results)
        (DOCS / "bench.md").write_text(render(DOCS / "bench"))


if __name__ == "__main__":
    main(sys.argv[1:])
