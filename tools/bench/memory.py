"""Memory of the six services at rest: what each holds, and what all of them hold together, shared pages once."""

import tempfile
from pathlib import Path
from typing import Any

import psutil

from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import Stack
from tools.bench.page import result

MEBIBYTE = 1 << 20
# 200 MB each, and 1.0 GB together.
MOST_EACH, MOST_TOGETHER = "<= 190", "<= 953"


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), caller={}, gateway_port=0) as stack:
        families = {service: _family(stack.pids()[service]) for service in SERVICES}
        resident = {service: _sum(family, "rss") for service, family in families.items()}
        proportional = sum(_sum(family, "pss") for family in families.values())
    lines = [
        result(f"memory.rss.{service}", f"{service}: RSS at rest, MiB", [size], goal=MOST_EACH)
        for service, size in resident.items()
    ]
    return [*lines, result("memory.pss", "all six services: PSS at rest, MiB", [proportional], goal=MOST_TOGETHER)]


def _family(pid: int) -> list[psutil.Process]:
    """A service and the helpers it started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _sum(family: list[psutil.Process], kind: str) -> float:
    return float(sum(getattr(process.memory_full_info(), kind) for process in family) / MEBIBYTE)
