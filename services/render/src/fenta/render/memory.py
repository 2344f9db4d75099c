"""How much memory a segment takes, and who may start when there is only so much."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fenta.contracts.timeline import Canvas

# A Python process with its libraries, and what its pictures and its encoder hold for each pixel of the canvas. Seen
# with two pictures and captions at 540p, 720p, 1080p and 2160p: 213, 261, 380 and 936 MiB; half as much again for more.
BASE_BYTES, PIXEL_BYTES = 200 << 20, 180
# What others on the machine need as well.
SHARE = 0.8
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def estimate_bytes(canvas: Canvas) -> int:
    """What a worker and its encoder hold while they make a segment of this size."""
    return BASE_BYTES + PIXEL_BYTES * canvas.width * canvas.height


def available_bytes() -> int:
    """Most of what this container, or this machine, has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(text) for path in _LIMITS if path.exists() and (text := path.read_text().strip()).isdigit()]
    return round(min([machine, *limits]) * SHARE)


class Memory:
    """Lets in what fits, in the order of asking. What alone is more than there is gets everything, and goes alone."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = self._free = limit_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, size_bytes: int, *, alone: bool = False) -> AsyncIterator[None]:
        """Waits until there is that much, or with `alone` until nobody else is in."""
        taken = self.limit_bytes if alone else min(size_bytes, self.limit_bytes)
        await self._enter(taken)
        try:
            yield
        finally:
            self._free += taken
            self._admit()

    async def _enter(self, size_bytes: int) -> None:
        turn = (size_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        self._admit()
        try:
            await turn[1]
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._free += size_bytes
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            size_bytes, turn = self._waiting.popleft()
            self._free -= size_bytes
            if not turn.done():
                turn.set_result(None)
