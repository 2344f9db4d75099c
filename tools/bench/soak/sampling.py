"""What a running stack holds at one moment: memory and descriptors of its processes, and what Postgres keeps."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import psutil

from fenta.contracts.topics import SERVICES
from fenta.embedded.supervisor import BROKER, STORE, Stack

MEBIBYTE = 1 << 20
# Renderers live for one film, engines until nobody needs them for a while: they count with their part, in PSS.
WATCHED = (*SERVICES, BROKER, STORE)

_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
_ROWS = (
    "SELECT coalesce(sum(n_dead_tup), 0) AS dead, coalesce(sum(n_live_tup), 0) AS live, "
    "coalesce(sum(n_dead_tup) FILTER (WHERE relname = ANY($1)), 0) AS dead_in_queues FROM pg_stat_user_tables"
)
# Their rows come and go; those of other tables stay, and a share of them is dead until it is worth a vacuum.
QUEUES = ("task", "task_mark", "outbox", "worker")


@dataclass(frozen=True)
class Sample:
    """Memory in MiB: RSS by watched process; PSS by part, with all the helpers that it has at the moment."""

    seconds: float
    rss: Mapping[str, float]
    pss: Mapping[str, float]
    descriptors: Mapping[str, float]
    connections: float
    dead_rows: float
    dead_in_queues: float
    live_rows: float

    def told(self) -> str:
        memory = " ".join(f"{name} {size:.0f}" for name, size in self.rss.items())
        return (
            f"RSS MiB {memory}; PSS {sum(self.pss.values()):.0f}; descriptors {sum(self.descriptors.values()):.0f}; "
            f"connections {self.connections:.0f}; dead rows {self.dead_rows:.0f} of {self.live_rows:.0f}"
        )


class Probe:
    """Looks at one stack; its own connection to Postgres counts among the others all the time."""

    def __init__(self, stack: Stack, postgres: "asyncpg.Connection[Any]") -> None:
        self._stack = stack
        self._postgres = postgres

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, stack: Stack) -> AsyncIterator[Self]:
        connection = await asyncpg.connect(stack.addresses.database_url)
        try:
            yield cls(stack, connection)
        finally:
            await connection.close()

    async def sample(self) -> Sample:
        rss, descriptors, pss = await asyncio.to_thread(self._of_processes)
        rows = await self._postgres.fetchrow(_ROWS, list(QUEUES))
        return Sample(
            seconds=time.monotonic(),
            rss=rss,
            pss=pss,
            descriptors=descriptors,
            connections=float(await self._postgres.fetchval(_CONNECTIONS)),
            dead_rows=float(rows["dead"]),
            dead_in_queues=float(rows["dead_in_queues"]),
            live_rows=float(rows["live"]),
        )

    def _of_processes(self) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        processes = {name: psutil.Process(pid) for name, pid in self._stack.pids().items()}
        return (
            {name: processes[name].memory_info().rss / MEBIBYTE for name in WATCHED},
            {name: float(processes[name].num_fds()) for name in WATCHED},
            {name: _family_pss(process) / MEBIBYTE for name, process in processes.items()},
        )


def _family_pss(process: psutil.Process) -> float:
    return sum(map(_pss, (process, *process.children(recursive=True))))


def _pss(process: psutil.Process) -> float:
    """Nothing, if it has just ended."""
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
        return float(process.memory_full_info().pss)
    return 0.0
