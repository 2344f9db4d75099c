"""The `fenta` command, as a person runs it."""

import json
from typing import Any

from anyio.to_thread import run_sync
from typer.testing import CliRunner

from fenta.embedded.cli import app


async def fenta(*words: str, **environment: str) -> tuple[int, str]:
    """Its exit status and what it printed. It runs in a thread, since it starts a loop of its own."""
    status, output, _ = await fenta_with_log(*words, **environment)
    return status, output


async def fenta_with_log(*words: str, **environment: str) -> tuple[int, str, list[dict[str, Any]]]:
    """The same, and the lines that it logged."""
    result = await run_sync(lambda: CliRunner().invoke(app, list(words), env=environment))
    log = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    return result.exit_code, result.stdout, log
