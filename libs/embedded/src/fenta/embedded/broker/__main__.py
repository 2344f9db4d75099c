"""`python -m fenta.embedded.broker DATA_DIR --port N` runs one broker until SIGTERM; one JSON line says it is ready."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from fenta.embedded.processes import HOST, AlreadyRunning, raise_file_limit

from .server import Server
from .settings import Fsync
from .state import BrokerSettings, State


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fenta.embedded.broker", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: any free one, named in the ready line")
    parser.add_argument("--fsync", type=Fsync, choices=list(Fsync), default=Fsync.NEVER)
    parser.add_argument("--fsync-seconds", type=float, default=BrokerSettings.fsync_seconds)
    parser.add_argument("--auto-create-topics", action="store_true")
    parser.add_argument("--partitions", type=int, default=BrokerSettings.default_partitions)
    parser.add_argument("--housekeeping-seconds", type=float, default=BrokerSettings.housekeeping_seconds)
    parser.add_argument("--silence-seconds", type=float, default=BrokerSettings.silence_seconds)
    return parser.parse_args(arguments)


async def serve(state: State, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Server(state, HOST, port) as server:
        host, port = server.address
        print(json.dumps({"ready": True, "bootstrap": f"{host}:{port}", "port": port, "pid": os.getpid()}), flush=True)  # noqa: T201
        await stop.wait()


def main() -> None:
    options = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    raise_file_limit()
    settings = BrokerSettings(
        fsync=options.fsync,
        fsync_seconds=options.fsync_seconds,
        auto_create_topics=options.auto_create_topics,
        default_partitions=options.partitions,
        housekeeping_seconds=options.housekeeping_seconds,
        silence_seconds=options.silence_seconds,
    )
    try:
        asyncio.run(serve(State(options.data_dir, settings), options.port))
    except (AlreadyRunning, OSError) as error:
        sys.exit(f"The broker cannot start: {error}")


if __name__ == "__main__":
    main()
