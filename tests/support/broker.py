"""The embedded broker as a process that tests may kill."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.counted import counting


class BrokerProcess:
    """`python -m fenta.embedded.broker` on a port that stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.servers = ""
        self.replication = 1

    def start(self) -> None:
        command = [sys.executable, "-m", "fenta.embedded.broker", str(self._folder), "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | counting())
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self.servers = ready["bootstrap"]
        self.port = int(self.servers.rsplit(":", 1)[1])

    def kill(self) -> None:
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        self._end(lambda process: process.terminate())

    def _end(self, how: object) -> None:
        assert self._process is not None
        assert callable(how)
        how(self._process)
        self._process.wait(20)
        if self._process.stdout:
            self._process.stdout.close()
