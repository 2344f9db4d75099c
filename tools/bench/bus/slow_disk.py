"""A disk that takes two milliseconds more for each fsync, as disks of clouds do."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SLOW_SYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int fdatasync(int file) {
    usleep(2000);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
int fsync(int file) {
    usleep(2000);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}
"""
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@contextmanager
def slow_sync() -> Iterator[None]:
    """What is started meanwhile waits for its disk. Needs a C compiler."""
    if not COMPILER:
        raise RuntimeError("no C compiler here: the slow disk cannot be made")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "slow.c").write_text(SLOW_SYNC)
        command = [COMPILER, "-shared", "-fPIC", "-o", "slow.so", "slow.c", "-ldl"]
        subprocess.run(command, cwd=folder, check=True)
        os.environ["LD_PRELOAD"] = str(folder / "slow.so")
        try:
            yield
        finally:
            del os.environ["LD_PRELOAD"]
