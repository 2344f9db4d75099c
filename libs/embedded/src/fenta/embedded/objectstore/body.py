"""Reading a request's body: plain or aws-chunked, with whatever checksums the client sent along."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from .errors import Refused, invalid

CHUNKED_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
LONGEST_LINE = 16 * 1024


class Checksum(Protocol):
    """As in hashlib."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    """zlib's sum in hashlib's shape."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = zlib.crc32(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


# CRC32C and CRC64NVME are accepted unchecked: the standard library does not have them.
CHECKSUMS: dict[str, Any] = {
    "x-amz-checksum-crc32": Crc32,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
    "content-md5": lambda: hashlib.md5(usedforsecurity=False),
}


class Body:
    """An async iterator of the object's bytes that raises Refused when they are not what was promised."""

    def __init__(self, stream: AsyncIterator[bytes], headers: Mapping[str, str], signed_hash: str) -> None:
        self._stream = stream
        self._headers = headers
        self._signed_hash = signed_hash
        self._trailers: dict[str, str] = {}
        self._sums: dict[str, Checksum] = {name: make() for name, make in CHECKSUMS.items() if self._announces(name)}
        self._sha256 = hashlib.sha256() if len(signed_hash) == 64 else None
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def _announces(self, name: str) -> bool:
        return name in self._headers or name == self._headers.get("x-amz-trailer", "").strip().lower()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._decoded():
            self._count(data)
            yield data
        self._check()

    def _decoded(self) -> AsyncIterator[bytes]:
        if self._signed_hash == CHUNKED_UNSIGNED:
            return self._unchunked()
        if self._signed_hash.startswith("STREAMING-"):
            raise Refused(501, "NotImplemented", "Signed chunks are not offered; send the body whole.")
        return self._stream

    async def _unchunked(self) -> AsyncIterator[bytes]:
        reader = Reader(self._stream)
        while size := _chunk_size(await reader.line()):
            async for data in reader.exactly(size):
                yield data
            if await reader.line():
                raise invalid("A chunk is longer than it says.", "IncompleteBody")
        while line := await reader.line():
            name, _, value = line.decode("latin-1").partition(":")
            self._trailers[name.strip().lower()] = value.strip()

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        self.md5.update(data)
        for checksum in (*self._sums.values(), self._sha256):
            if checksum is not None:
                checksum.update(data)

    def _check(self) -> None:
        promised = self._headers.get("x-amz-decoded-content-length")
        if promised is not None and promised != str(self.size):
            raise invalid("The body is shorter or longer than promised.", "IncompleteBody")
        if self._sha256 is not None and self._sha256.hexdigest() != self._signed_hash:
            raise invalid("The body is not the one that was signed.", "XAmzContentSHA256Mismatch")
        for name, checksum in self._sums.items():
            given = self._trailers.get(name) or self._headers.get(name, "")
            if _unbase64(given) != checksum.digest():
                raise invalid(f"{name} does not fit the body.", "BadDigest")


class Reader:
    """Lines and counted bytes out of a stream."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._buffer = b""

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._stream)
        except StopAsyncIteration:
            raise invalid("The body ends in the middle of a chunk.", "IncompleteBody") from None

    async def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise invalid("A chunk header is too long.", "InvalidRequest")
            await self._more()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    async def exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self._buffer:
                await self._more()
            data, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(data)
            yield data


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise invalid("A chunk does not say how long it is.", "InvalidRequest") from None


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
