"""What happens to a job, message by message, over as many connections as it takes."""

import json
import time
from collections.abc import Iterable, Iterator

import httpx

from .api import Api, Json, Refused, Unreachable

FINAL = {"job.completed", "job.failed", "job.cancelled"}
PATIENCE_SECONDS = 90.0
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0


def follow(api: Api, job_id: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Json]:
    """Every message once and in order, up to the final one; a stream that is cut goes on where it was.

    Raises Unreachable when no stream opens for `patience_seconds`, Refused when the job may not be seen.
    """
    after, pause, alive_at = 0, PAUSE_SECONDS, time.monotonic()
    while time.monotonic() - alive_at < patience_seconds:
        try:
            with api.stream(f"/jobs/{job_id}/events", after=after) as lines:
                alive_at = time.monotonic()
                for message in messages_of(lines):
                    pause, alive_at = PAUSE_SECONDS, time.monotonic()
                    if message["seq"] > after:
                        after = message["seq"]
                        yield message
                    if message["type"] in FINAL:
                        return
        except httpx.TransportError:
            pass  # cut, or nobody there for a moment; the next connection goes on behind `after`
        except Refused as problem:
            if not problem.may_pass:
                raise
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    raise Unreachable(f"The job could not be followed for {patience_seconds:.0f} s.")


def messages_of(lines: Iterable[str]) -> Iterator[Json]:
    """The messages of an event stream; half of one, at a cut, is none."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:"))
        elif not line and data:
            yield json.loads("\n".join(data))
            data.clear()
