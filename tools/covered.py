"""How many lines of each package the tests have run: the last word of `make test`.

Counted is what runs in the tests' own process and in the broker and store that they start; what only the services'
processes run comes on top.
"""

import argparse
import sys
from pathlib import Path

from coverage import Coverage

from tools.documents import ROOT


def packages() -> list[Path]:
    return [
        path for part in ("libs", "services") for path in sorted((ROOT / part).iterdir()) if (path / "src").exists()
    ]


def lines_of(coverage: Coverage, package: Path) -> tuple[int, int]:
    """How many lines were run, of how many; a file that nobody has imported counts too."""
    found = [coverage.analysis2(str(path)) for path in sorted((package / "src").rglob("*.py"))]
    there = sum(len(statements) for _, statements, _, _, _ in found)
    return there - sum(len(missing) for _, _, _, missing, _ in found), there


def percent(run: int, there: int) -> float:
    return 100 * run / there if there else 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-least", type=float, default=0, help="fail below so many percent of all lines")
    least: float = parser.parse_args().at_least
    coverage = Coverage()
    coverage.load()
    counts = {package.name: lines_of(coverage, package) for package in packages()}
    counts["all"] = (sum(run for run, _ in counts.values()), sum(there for _, there in counts.values()))
    for name, (run, there) in counts.items():
        print(f"{name:12}{run:6} of {there:6} lines {percent(run, there):6.1f} %")
    if percent(*counts["all"]) < least:
        sys.exit(f"The tests run less than {least:g} % of the lines.")


if __name__ == "__main__":
    main()
