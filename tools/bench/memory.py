"""Memory of the six services at rest: what each holds, and what all of them hold together, shared pages once."""

import tempfile
from pathlib import Path
from typing import Any

import psutil

from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import Stack
from tools.bench.page import result

MEBIBYTE = 1 << 20


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), caller={}, gateway_port=0) as stack:
        families = {service: _family(stack.pids()[service]) for service in SERVICES}
        resident = {service: _sum(family, "rss") for service, family in families.items()}
        proportional = sum(_sum(family, "pss") for family in families.values())
    lines = [result(f"memory.rss.{service}", f"{service}: RSS, MiB", [size]) for service, size in resident.items()]
    return [*lines, result("memory.pss", "all six services: PSS, MiB", [proportional])]


def _family(pid: int) -> list[psutil.Process]:
    """A service and the helpers it started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _sum(family: list[psutil.Process], kind: str) -> float:
    return float(sum(getattr(process.memory_full_info(), kind) for process in family) / MEBIBYTE)
