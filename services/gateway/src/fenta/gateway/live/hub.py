"""Wakes the streams of this process: by NOTIFY from whichever process wrote, and by a look every second."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import asyncpg

from fenta.chassis.database import Database
from fenta.chassis.telemetry import log
from fenta.gateway.repository import channels

CHANNEL = "fenta_live"
LONGEST_PAYLOAD = 7000
LONGEST_PAUSE_SECONDS = 5.0


class Listener:
    """One stream's place in the hub: it waits here until its channel is longer than it knows."""

    def __init__(self) -> None:
        self._grown = asyncio.Event()

    def wake(self) -> None:
        self._grown.set()

    async def wait(self, seconds: float) -> bool:
        """Whether the channel grew before so much time was over."""
        try:
            async with asyncio.timeout(seconds):
                await self._grown.wait()
        except TimeoutError:
            return False
        self._grown.clear()
        return True


class Hub:
    """Which channels are served here, and who listens to each."""

    def __init__(self, *, database: Database, url: str, poll_seconds: float = 1.0) -> None:
        self._database = database
        self._url = url
        self._poll_seconds = poll_seconds
        self._listeners: dict[str, set[Listener]] = {}
        self._positions: dict[str, int] = {}
        self._to_tell: set[str] = set()
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def listen(self, channel: str) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.setdefault(channel, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[channel].discard(listener)
            if not self._listeners[channel]:
                del self._listeners[channel]
                self._positions.pop(channel, None)

    def tell(self, names: set[str]) -> None:
        """These channels grew: wake who listens here, and soon all other processes with one NOTIFY."""
        self._wake(names)
        self._to_tell |= names
        self._told.set()

    async def run(self) -> None:
        """Tell, hear and look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_others())
            group.create_task(self._hear_others())
            group.create_task(self._look_again())

    def _wake(self, names: set[str]) -> None:
        for name in names & self._listeners.keys():
            for listener in self._listeners[name]:
                listener.wake()

    async def _tell_others(self) -> None:
        """Outside of any data transaction: a NOTIFY takes a lock on the whole database until its commit."""
        while True:
            await self._told.wait()
            self._told.clear()
            names, self._to_tell = self._to_tell, set()
            try:
                async with self._database.transaction() as session:
                    await channels.notify(session, _payload(names))
            except Exception as error:  # the look every second stands in
                log.warning("live.untold", error=f"{type(error).__name__}: {error}")

    async def _hear_others(self) -> None:
        pause = 0.1
        while True:
            try:
                await self._hear()
                pause = 0.1
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("live.deaf", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _hear(self) -> None:
        """Listen on a connection of its own until it breaks."""
        connection = await asyncpg.connect(self._url, timeout=10)
        broken = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: broken.set())
            await connection.add_listener(CHANNEL, self._heard)
            await broken.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        self._wake(set(json.loads(payload)) if payload else set(self._listeners))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            if self._listeners:
                with contextlib.suppress(Exception):  # when Postgres is away, the streams wait with it
                    await self._look()

    async def _look(self) -> None:
        async with self._database.transaction() as session:
            found = await channels.list_positions(session, list(self._listeners))
        grown = {name for name, seq in found.items() if self._positions.get(name) != seq}
        self._positions = found
        self._wake(grown)


def _payload(names: set[str]) -> str:
    """An empty one means: look at everything."""
    text = json.dumps(sorted(names))
    return text if len(text) <= LONGEST_PAYLOAD else ""
