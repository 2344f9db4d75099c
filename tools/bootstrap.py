"""Make a virtual environment with uv in it; standard library only.

Usage: bootstrap.py VENV UV_VERSION. Uses uv where it is already installed, else pip in the new environment.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def fail(sentence: str) -> None:
    sys.exit(f"fenta: {sentence}")


def make_environment(venv: Path) -> None:
    """Create the environment with this very interpreter; pip is needed only where uv is missing."""
    flags = ["--without-pip"] if shutil.which("uv") else []
    made = subprocess.run(
        [sys.executable, "-m", "venv", *flags, str(venv)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        fail(f"Python could not make a virtual environment; install its venv module.\n{made.stdout}{made.stderr}")


def install_uv(venv: Path, version: str) -> None:
    target = venv / "bin" / "uv"
    if found := shutil.which("uv"):
        target.unlink(missing_ok=True)
        target.symlink_to(found)
        return
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if subprocess.run([*pip, f"uv=={version}"], check=False).returncode:
        fail("uv could not be installed; is the package index reachable with pip?")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  this file is what tells people so
        fail(
            f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Call make PY=python3.12, for instance."
        )
    venv, version = Path(sys.argv[1]), sys.argv[2]
    if not (venv / "bin" / "python").exists():
        make_environment(venv)
    if not (venv / "bin" / "uv").exists():
        install_uv(venv, version)


if __name__ == "__main__":
    main()
