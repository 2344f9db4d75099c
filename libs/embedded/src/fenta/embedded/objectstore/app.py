"""The HTTP face: which S3 operation a request is, and its answer."""

import errno
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from . import xml
from .body import Body
from .disk import Disk, Stored, now
from .errors import Refused, invalid
from .listing import list_objects
from .signing import SignedRequest, Verifier
from .uploads import Uploads

READ_BYTES = 1 << 18
LONGEST_DOCUMENT = 2 << 20
KEPT_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
ANY_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
    "access-control-allow-headers": "*",
    "access-control-expose-headers": "ETag, Content-Range, Content-Length, Accept-Ranges",
    "access-control-max-age": "3600",
}


class Call:
    """One authorised request."""

    def __init__(self, request: Request, signed_hash: str) -> None:
        self.request = request
        self.signed_hash = signed_hash
        bucket, _, key = unquote(request.scope["raw_path"].decode().split("?")[0]).lstrip("/").partition("/")
        self.bucket, self.key = bucket, key

    @cached_property
    def query(self) -> Mapping[str, str]:
        return dict(_signed(self.request).query)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    def body(self) -> Body:
        return Body(self.request.stream(), self.headers, self.signed_hash)

    async def document(self) -> bytes:
        """A small body, checked like any other."""
        received = bytearray()
        async for data in self.body():
            received += data
            if len(received) > LONGEST_DOCUMENT:
                raise invalid("The document is too long.", "MalformedXML")
        return bytes(received)

    def kept_headers(self) -> dict[str, str]:
        """Content-Encoding loses the transfer's own mark, which describes the request, not the object."""
        kept = {name: value for name, value in self.headers.items() if _is_kept(name)}
        encodings = [part.strip() for part in kept.pop("content-encoding", "").split(",")]
        if rest := ", ".join(part for part in encodings if part not in ("", "aws-chunked")):
            kept["content-encoding"] = rest
        return {"content-type": "binary/octet-stream", **kept}


def _is_kept(name: str) -> bool:
    return name in KEPT_HEADERS or name.startswith("x-amz-meta-")


def _signed(request: Request) -> SignedRequest:
    path = request.scope["raw_path"].decode("latin-1").split("?")[0]
    return SignedRequest(request.method, path, request.scope["query_string"].decode("latin-1"), request.headers)


class ObjectStore:
    """The ASGI application."""

    def __init__(self, disk: Disk, verifier: Verifier) -> None:
        self.disk = disk
        self.uploads = Uploads(disk)
        self.verifier = verifier

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        request = Request(scope, receive)
        response = await self._respond(request)
        response.headers.update(ANY_ORIGIN)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            if request.method == "OPTIONS":
                return Response()
            signed_hash = self.verifier.verify(_signed(request), datetime.now(UTC))
            return await self._dispatch(Call(request, signed_hash))
        except Refused as refusal:
            return _refusal(request, refusal)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return _refusal(request, Refused(507, "InsufficientStorage", "The disk is full."))
        except ClientDisconnect:
            return Response(status_code=400)

    async def _dispatch(self, call: Call) -> Response:
        if not call.bucket:
            return self._list_buckets()
        kind = "object" if call.key else "bucket"
        operation = getattr(self, f"_{call.request.method.lower()}_{kind}", None)
        if operation is None:
            raise Refused(405, "MethodNotAllowed", "There is no such operation here.")
        response: Response = await operation(call)
        return response

    # Buckets

    def _list_buckets(self) -> Response:
        names = [xml.element("Bucket", xml.text("Name", name)) for name in self.disk.buckets()]
        return _xml(xml.document("ListAllMyBucketsResult", xml.element("Buckets", *names)))

    async def _put_bucket(self, call: Call) -> Response:
        await call.document()
        self.disk.create_bucket(call.bucket)
        return Response(headers={"location": f"/{call.bucket}"})

    async def _head_bucket(self, call: Call) -> Response:
        self.disk.check_bucket(call.bucket)
        return Response()

    async def _get_bucket(self, call: Call) -> Response:
        self.disk.check_bucket(call.bucket)
        if "location" in call.query:
            return _xml(xml.document("LocationConstraint"))
        if "uploads" in call.query or "versioning" in call.query:
            raise Refused(501, "NotImplemented", "This store does not offer it.")
        return _xml(list_objects(self.disk, call.bucket, call.query))

    async def _post_bucket(self, call: Call) -> Response:
        if "delete" not in call.query:
            raise Refused(501, "NotImplemented", "Form uploads are not offered; use a presigned PUT.")
        keys = xml.read_keys(await call.document())
        for key in keys:
            self.disk.delete(call.bucket, key)
        deleted = [xml.element("Deleted", xml.text("Key", key)) for key in keys]
        return _xml(xml.document("DeleteResult", *deleted))

    # Objects

    async def _put_object(self, call: Call) -> Response:
        if "uploadId" in call.query:
            return await self._put_part(call)
        self.disk.find(call.bucket, call.key)
        if "x-amz-copy-source" in call.headers:
            return self._copy(call)
        self._check_conditions(call)
        body = call.body()
        path, size = await self.disk.receive(body)
        # Somebody may have written the key while this body was on its way.
        self._check_conditions(call, received=path)
        stored = Stored(call.key, self.disk.adopt(path), size, body.md5.hexdigest(), now(), call.kept_headers())
        self.disk.put(call.bucket, stored)
        return Response(headers={"etag": f'"{stored.etag}"'})

    def _check_conditions(self, call: Call, received: Path | None = None) -> None:
        existing = self.disk.find(call.bucket, call.key)
        wanted = call.headers.get("if-match")
        clash = call.headers.get("if-none-match") == "*" and existing is not None
        changed = wanted is not None and (existing is None or wanted.strip('"') != existing.etag)
        if clash or changed:
            if received is not None:
                received.unlink(missing_ok=True)
            raise Refused(412, "PreconditionFailed", "The object is not as the request demands.")

    def _copy(self, call: Call) -> Response:
        bucket, _, key = unquote(call.headers["x-amz-copy-source"]).lstrip("/").partition("/")
        source = self.disk.get(bucket, key.partition("?versionId=")[0])
        replaced = call.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
        headers = call.kept_headers() if replaced else source.headers
        copy = Stored(call.key, self.disk.duplicate(source), source.size, source.etag, now(), headers)
        self.disk.put(call.bucket, copy)
        moment, etag = xml.text("LastModified", copy.modified), xml.text("ETag", f'"{copy.etag}"')
        return _xml(xml.document("CopyObjectResult", moment, etag))

    async def _head_object(self, call: Call) -> Response:
        stored = self.disk.get(call.bucket, call.key)
        return self._unchanged(call, stored) or Response(headers=_described(stored, call.query, stored.size))

    async def _get_object(self, call: Call) -> Response:
        if "uploadId" in call.query:
            return self._list_parts(call)
        stored = self.disk.get(call.bucket, call.key)
        if unchanged := self._unchanged(call, stored):
            return unchanged
        wanted = parse_range(call.headers.get("range"), stored.size)
        headers = _described(stored, call.query, wanted.length)
        if wanted.partial:
            headers["content-range"] = f"bytes {wanted.start}-{wanted.start + wanted.length - 1}/{stored.size}"
        # Opened now: an overwriting request may remove the name while we are still sending.
        file = os.open(self.disk.blob_path(stored.blob), os.O_RDONLY)
        return StreamingResponse(_read(file, wanted), 206 if wanted.partial else 200, headers)

    def _unchanged(self, call: Call, stored: Stored) -> Response | None:
        known = [tag.strip().strip('"') for tag in call.headers.get("if-none-match", "").split(",")]
        return Response(status_code=304, headers={"etag": f'"{stored.etag}"'}) if stored.etag in known else None

    async def _delete_object(self, call: Call) -> Response:
        if "uploadId" in call.query:
            self.uploads.abort(call.bucket, call.key, call.query["uploadId"])
        else:
            self.disk.delete(call.bucket, call.key)
        return Response(status_code=204)

    # Multipart

    async def _post_object(self, call: Call) -> Response:
        if "uploads" in call.query:
            await call.document()
            upload = self.uploads.create(call.bucket, call.key, call.kept_headers())
            return _xml(xml.document("InitiateMultipartUploadResult", *_place(call), xml.text("UploadId", upload)))
        if "uploadId" not in call.query:
            raise Refused(501, "NotImplemented", "There is no such operation here.")
        self._check_conditions(call)
        parts = xml.read_parts(await call.document())
        stored = await self.uploads.complete(call.bucket, call.key, call.query["uploadId"], parts)
        etag = xml.text("ETag", f'"{stored.etag}"')
        return _xml(xml.document("CompleteMultipartUploadResult", *_place(call), etag))

    async def _put_part(self, call: Call) -> Response:
        if "x-amz-copy-source" in call.headers:
            raise Refused(501, "NotImplemented", "Copying into a part is not offered.")
        number = call.query.get("partNumber", "")
        etag = await self.uploads.add(call.bucket, call.key, call.query["uploadId"], number, call.body())
        return Response(headers={"etag": f'"{etag}"'})

    def _list_parts(self, call: Call) -> Response:
        upload = call.query["uploadId"]
        parts = xml.parts_list(self.uploads.parts(call.bucket, call.key, upload))
        truncated = xml.text("IsTruncated", "false")
        return _xml(xml.document("ListPartsResult", *_place(call), xml.text("UploadId", upload), truncated, parts))


class Range(NamedTuple):
    """Which bytes to send, and whether they are fewer than all."""

    start: int
    length: int
    partial: bool


def parse_range(header: str | None, size: int) -> Range:
    """One range of bytes; several, or another unit, are answered with the whole object, as HTTP allows."""
    unit, _, spec = (header or "").partition("=")
    first, dash, last = spec.strip().partition("-")
    numbers = all(part == "" or part.isdigit() for part in (first, last))
    if unit.strip() != "bytes" or not dash or not numbers or not (first or last):
        return Range(0, size, partial=False)
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise Refused(
            416, "InvalidRange", "The range lies outside of the object.", {"content-range": f"bytes */{size}"}
        )
    return Range(start, end - start + 1, partial=True)


async def _read(file: int, wanted: Range) -> AsyncIterator[bytes]:
    # Reads come from the page cache, so a thread per piece would cost more than it saves.
    position, end = wanted.start, wanted.start + wanted.length
    try:
        while position < end and (data := os.pread(file, min(READ_BYTES, end - position), position)):
            position += len(data)
            yield data
    finally:
        os.close(file)


def _described(stored: Stored, query: Mapping[str, str], length: int) -> dict[str, str]:
    """A link may set how the answer presents itself, as S3 offers with `response-content-type` and the like."""
    wished = {name: query[f"response-{name}"] for name in KEPT_HEADERS if f"response-{name}" in query}
    return {
        **stored.headers,
        **wished,
        "content-length": str(length),
        "etag": f'"{stored.etag}"',
        "last-modified": format_datetime(stored.modified_at, usegmt=True),
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
    }


def _place(call: Call) -> tuple[str, str]:
    return xml.text("Bucket", call.bucket), xml.text("Key", call.key)


def _xml(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/xml")


def _refusal(request: Request, refusal: Refused) -> Response:
    """Part of the body may be unread, so the connection cannot carry another request."""
    headers = dict(refusal.headers)
    if request.method in ("PUT", "POST"):
        headers["connection"] = "close"
    body = b"" if request.method == "HEAD" else xml.error(refusal.code, refusal.sentence)
    return Response(body, refusal.status, headers, media_type="application/xml")
