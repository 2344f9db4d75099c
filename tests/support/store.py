"""The embedded object store as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from fenta.chassis.settings import StorageSettings
from tests.support.counted import counting

KEY, SECRET = "fenta", "a secret/with+signs"


class StoreProcess:
    """`python -m fenta.embedded.objectstore` on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "fenta.embedded.objectstore", str(self.folder), "--port", "0"]
        keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "S3_BUCKET_NAME": "media"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | keys | counting())
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]

    def settings(self, **other: str) -> StorageSettings:
        return StorageSettings(
            aws_access_key_id=SecretStr(KEY),
            aws_secret_access_key=SecretStr(SECRET),
            s3_bucket_name="media",
            **{"s3_endpoint_url": self.url, **other},
        )

    def stop(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait(20)
        self._process.stdout.close()
