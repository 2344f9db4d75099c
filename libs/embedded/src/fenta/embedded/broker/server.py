"""Connections: frames in, handlers, frames out; one request at a time per connection, as Kafka does it."""

import asyncio
import logging
import struct
from types import TracebackType

from . import wire
from .handlers import HANDLERS, Call
from .state import State

log = logging.getLogger(__name__)

READ_AHEAD_BYTES = 1 << 20


class Server:
    """Listens while its `async with` block runs."""

    def __init__(self, state: State, host: str, port: int) -> None:
        self.state = state
        self.address = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> "Server":
        host, port = self.address
        self._listener = await asyncio.start_server(self._accept, host, port, limit=READ_AHEAD_BYTES)
        self.address = (host, self._listener.sockets[0].getsockname()[1])
        for work in (self.state.expire_regularly, self.state.clean_regularly, self.state.sync_regularly):
            self._keep(asyncio.create_task(work()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.state.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("broker task failed", exc_info=error)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A plain function, so that the tasks are ours to cancel and nobody logs their cancellation.
        self._keep(asyncio.create_task(self._converse(reader, writer)))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        try:
            while True:
                frame = await self._read_frame(reader)
                await self._answer(wire.decode_request(frame), writer, peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The client is gone.
        except TimeoutError:
            # It might as well be; closing would wait until it has read what it was sent.
            writer.transport.abort()
        except wire.BadRequest as error:
            log.warning("closing the connection of %s: %s", peer, error)
        finally:
            writer.close()

    async def _read_frame(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self.state.settings.silence_seconds):
            (length,) = struct.unpack(">i", await reader.readexactly(4))
            if not 0 < length <= self.state.settings.longest_frame_bytes:
                raise wire.BadRequest(f"a frame of {length} bytes")
            return await reader.readexactly(length)

    async def _answer(self, request: wire.Request, writer: asyncio.StreamWriter, peer: str) -> None:
        body = await HANDLERS[request.api.key](Call(self.state, request, self.address, peer))
        if body is not None:
            writer.write(wire.encode_answer(request, body))
            async with asyncio.timeout(self.state.settings.silence_seconds):
                await writer.drain()
