"""The count of lines that the tests have run leaves out no file and no package."""

from pathlib import Path

from coverage import Coverage

from fenta.contracts.topics import SERVICES
from tools.covered import lines_of, packages, percent


def test_every_package_counts() -> None:
    assert {path.name for path in packages()} == {"contracts", "chassis", "embedded", *SERVICES}


def test_a_file_that_nobody_imported_counts_too(tmp_path: Path) -> None:
    (tmp_path / "src/part").mkdir(parents=True)
    (tmp_path / "src/part/known.py").write_text("a = 1\n\nif a > 1:\n    a = 2\n")
    (tmp_path / "src/unknown.py").write_text("b = 1\nc = 2\n")
    coverage = Coverage(data_file=str(tmp_path / "data"), config_file=False)
    coverage.get_data().add_lines({str(tmp_path / "src/part/known.py"): [1, 3]})
    assert lines_of(coverage, tmp_path) == (2, 5)
    assert percent(2, 5) == 40
    assert percent(0, 0) == 100
