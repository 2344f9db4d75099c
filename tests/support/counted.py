"""Parts that tests start as processes count the lines they run, where the tests count theirs."""

from coverage import Coverage

from tools.documents import ROOT


def counting() -> dict[str, str]:
    """What such a process finds in its environment; it writes its count when it is told to stop, not when killed."""
    if Coverage.current() is None:
        return {}
    return {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_FILE": str(ROOT / ".coverage")}
