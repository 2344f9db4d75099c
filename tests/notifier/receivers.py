"""Receivers of webhooks on loopback: good ones that remember, and bad ones that try everything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[["Receiver", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Reads requests on a port of its own and answers as it was told; `answer` may be changed at any time."""

    answer: Answer
    port: int = 0
    received: list[Received] = field(default_factory=list)
    cut_off: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                pairs = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.received.append(Received(headers, body))
                await self.answer(self, writer)
                await writer.drain()
        writer.close()


def status(code: int, *lines: str, body: bytes = b"thanks") -> Answer:
    """Answers with this status, these header lines and this body."""

    async def answer(_receiver: Receiver, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {code} Said", f"content-length: {len(body)}", *lines, "", ""]
        writer.write("\r\n".join(head).encode() + body)

    return answer


async def hang(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await writer.drain()
    await asyncio.Event().wait()


async def drip(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Promises much and gives it byte by byte."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answers 10 MB, and notes when it is cut off."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n")
    try:
        for _ in range(100):
            writer.write(b"\0\xff" * 50_000)
            await writer.drain()
    except ConnectionError:
        receiver.cut_off.set()
        raise


async def garble(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Does not speak HTTP."""
    writer.write(b"HELLO 99 WORLD\r\n\r\n")


thank = status(204, body=b"")


@asynccontextmanager
async def receiving(answer: Answer = thank) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.handle(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
