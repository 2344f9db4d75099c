"""`python -m fenta.embedded.objectstore DATA_DIR --port N` runs a store until SIGTERM; a JSON line says it is up."""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from fenta.embedded.processes import HOST, AlreadyRunning, raise_file_limit

from .app import ObjectStore
from .disk import Disk
from .signing import Verifier


class Server(uvicorn.Server):
    """uvicorn, with our own signals and our ready line."""

    def __init__(self, app: ObjectStore) -> None:
        super().__init__(
            uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, server_header=False)
        )

    async def serve_until_told(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        host, port = listener.getsockname()
        print(json.dumps({"ready": True, "url": f"http://{host}:{port}", "port": port, "pid": os.getpid()}), flush=True)  # noqa: T201
        await self._serve([listener])

    def stop(self) -> None:
        self.should_exit = True


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(512)
    return listener


def required(name: str) -> str:
    value = os.environ.get(name, "")
    return value or sys.exit(f"The object store cannot start: {name} is not set.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fenta.embedded.objectstore", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: any free one, named in the ready line")
    options = parser.parse_args()
    verifier = Verifier(required("AWS_ACCESS_KEY_ID"), required("AWS_SECRET_ACCESS_KEY"))
    raise_file_limit()
    try:
        disk = Disk(options.data_dir)
        disk.create_bucket(required("S3_BUCKET_NAME"))
        asyncio.run(Server(ObjectStore(disk, verifier)).serve_until_told(listen(options.port)))
    except (AlreadyRunning, OSError) as error:
        sys.exit(f"The object store cannot start: {error}")
    disk.close()


if __name__ == "__main__":
    main()
