"""`python -m tools.bench.bus.replica`: one more replica of the service, which says how many steps it has ended."""

import asyncio
import json
import sys

import uvloop

from fenta.chassis.telemetry import set_up_logging
from tools.bench.bus.path import open_path
from tools.bench.bus.stage import SERVICE, Stage

REPORT_SECONDS = 0.01


async def main(here: Stage, instance_id: str, steps: int) -> None:
    """Until it is ended from outside."""
    set_up_logging(service=SERVICE, level="WARNING", environment="local")
    async with open_path(here, instance_id=instance_id) as path:
        path.serve(steps=steps)
        told = -1
        while True:
            if path.ended != told:
                told = path.ended
                print(told, flush=True)
            await asyncio.sleep(REPORT_SECONDS)


if __name__ == "__main__":
    stage, instance, count = sys.argv[1:]
    uvloop.run(main(Stage(**json.loads(stage)), instance, int(count)))
