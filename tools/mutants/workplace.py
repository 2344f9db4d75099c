"""A copy of the working tree in a temporary folder, in which faults are planted and tests run; never the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.mutants.catalogue import Mutant

# Imported in the copy before anything else: each must come from there, or a fault would never be seen.
_PROBE = "import fenta.{0}; print(fenta.{0}.__file__)"
_SECONDS_PER_TEST = 120


class WrongTree(Exception):
    """The copy's tests would import the code of another tree."""


class Workplace:
    """The copy. Its own source folders stand before the installed ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources = sorted(folder.glob("libs/*/src")) + sorted(folder.glob("services/*/src"))
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, self._sources)),
            # Compiled files go by whole seconds; a fault that comes and goes within one would stay.
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
        }

    def require_own_code(self) -> None:
        """Raises WrongTree unless every package is imported from the copy."""
        for source in self._sources:
            name = source.parent.name
            found = self._run([sys.executable, "-c", _PROBE.format(name)], seconds=60).stdout.strip()
            if not Path(found).is_relative_to(source):
                raise WrongTree(f"fenta.{name} is imported from {found or 'nowhere'} instead of {source}")

    def apply(self, mutant: Mutant, *, back: bool = False) -> str:
        """Plant a fault or take it out again; answers what git says against it, empty when it was done."""
        command = ["git", "apply", *(["--reverse"] if back else []), str(mutant.patch)]
        done = self._run(command, seconds=60)
        return "" if done.returncode == 0 else done.stderr.strip() or "git apply failed"

    def test(self, tests: Sequence[str], *, seconds: float) -> "subprocess.CompletedProcess[str]":
        """Run these tests up to the first failure. Raises TimeoutExpired."""
        options = ["-x", "-q", "-p", "no:randomly", f"--timeout={_SECONDS_PER_TEST}"]
        return self._run([sys.executable, "-m", "pytest", *options, *tests], seconds=seconds)

    def _run(self, command: Sequence[str], *, seconds: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )


@contextmanager
def workplace(root: Path) -> Iterator[Workplace]:
    """A copy of the tree as it stands, without what git ignores, that is gone afterwards."""
    with TemporaryDirectory(prefix="fenta-mutants-") as name:
        folder = Path(name).resolve()
        for path in _files(root):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, target, follow_symlinks=False)
        yield Workplace(folder)


def _files(root: Path) -> list[str]:
    # New files that are not committed yet belong to it: others may import them.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    # A file that was deleted and not committed yet is still listed.
    return [path for path in listed.split("\0") if path and (root / path).is_file()]
