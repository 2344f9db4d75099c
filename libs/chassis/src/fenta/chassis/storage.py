"""Object storage by boto3, off the event loop: content-addressed, written atomically, handed out by signed links."""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fenta.chassis import telemetry
from fenta.chassis.crash import crash_point
from fenta.chassis.errors import NotFound, PermanentError, TransientError, Unavailable
from fenta.chassis.settings import StorageSettings
from fenta.contracts.values import storage_key

Result = TypeVar("Result")
THREADS = 8
# Where nobody answers, trying again at once helps nobody.
UNREACHABLE_PAUSES = (3.0, 9.0)


class Storage:
    """The objects of all organisations.

    A key is `storage_key(org_id, sha256)`, `cache/<service>/…` for what can be made again, or `tmp/<service>/<task>/…`.
    """

    def __init__(self, client: Any, public_client: Any, *, bucket: str, service: str) -> None:
        self._client = client
        self._public = public_client
        self._bucket = bucket
        self._service = service
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    async def put(self, org_id: str, data: bytes, *, media_type: str) -> str:
        """Store bytes under their hash; answers the SHA-256. Storing them again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        arguments = self._at(storage_key(org_id, sha256)) | {"Body": data, "ContentType": media_type}
        await self._call("put", lambda: self._client.put_object(**arguments))
        crash_point("object.stored")
        return sha256

    async def put_file(self, org_id: str, path: Path, *, media_type: str) -> str:
        """The same for a file of any size."""
        sha256 = await self._run(lambda: hash_file(path))
        key = storage_key(org_id, sha256)
        await self._call("put", self._uploading(path, key, {"ContentType": media_type}))
        crash_point("object.stored")
        return sha256

    async def get(self, org_id: str, sha256: str) -> bytes:
        """The bytes, checked against their hash. Raises NotFound; PermanentError if they do not fit."""
        arguments = self._at(storage_key(org_id, sha256))
        data: bytes = await self._call("get", self._reading(arguments))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise PermanentError(f"the object {sha256} does not hold what its name says")
        return data

    async def fetch(self, org_id: str, sha256: str, path: Path) -> Path:
        """Copy an object to a local file; the file appears only when it is whole and fits its hash."""
        return await self._copy(storage_key(org_id, sha256), sha256, path)

    async def put_cached(self, name: str, path: Path) -> None:
        """Keep a file that can be made again under a name of this service's own."""
        await self._call("put", self._uploading(path, self._cached(name), {}))

    async def fetch_cached(self, name: str, sha256: str, path: Path) -> Path:
        """Like `fetch`, for what was kept by name. Raises NotFound; PermanentError if it is not what it was."""
        return await self._copy(self._cached(name), sha256, path)

    async def drop_cached(self, name: str) -> None:
        await self._call("delete", self._deleting(self._cached(name)))

    def _cached(self, name: str) -> str:
        return f"cache/{self._service}/{name}"

    async def _copy(self, key: str, sha256: str, path: Path) -> Path:
        part = path.with_name(path.name + ".part")
        await self._call("get", lambda: self._client.download_file(self._bucket, key, str(part)))
        if await self._run(lambda: hash_file(part)) != sha256:
            part.unlink()
            raise PermanentError(f"the object {sha256} does not hold what its name says")
        part.rename(path)
        crash_point("object.fetched")
        return path

    async def exists(self, org_id: str, sha256: str) -> bool:
        try:
            await self._call("head", lambda: self._client.head_object(**self._at(storage_key(org_id, sha256))))
        except NotFound:
            return False
        return True

    def link(self, org_id: str, sha256: str, *, seconds: int = 3600, filename: str | None = None) -> str:
        """A signed address for reading, valid for that long; made without any call."""
        params = self._at(storage_key(org_id, sha256))
        if filename:
            params["ResponseContentDisposition"] = f'attachment; filename="{filename}"'
        url: str = self._public.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
        return url

    async def sweep(self, *, living: set[str], older_than_seconds: float = 3600) -> int:
        """Delete temporary objects whose task is not among the living; answers how many."""
        listed = await self._call("list", lambda: self._listed(f"tmp/{self._service}/"))
        now = time.time()
        dead = [
            entry["Key"]
            for entry in listed
            if entry["Key"].split("/")[2] not in living and now - entry["LastModified"].timestamp() > older_than_seconds
        ]
        for key in dead:
            await self._call("delete", self._deleting(key))
        return len(dead)

    async def ping(self) -> None:
        """Raises when the bucket cannot be reached."""
        await self._call("head", lambda: self._client.head_bucket(Bucket=self._bucket))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _listed(self, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [entry for page in pages for entry in page.get("Contents", [])]

    def _reading(self, arguments: dict[str, Any]) -> Callable[[], bytes]:
        def read() -> bytes:
            data: bytes = self._client.get_object(**arguments)["Body"].read()
            return data

        return read

    def _uploading(self, path: Path, key: str, extra: dict[str, str]) -> Callable[[], None]:
        def upload() -> None:
            # Not upload_file, whose errors do not say whether trying again may help.
            with path.open("rb") as file:
                self._client.upload_fileobj(file, self._bucket, key, ExtraArgs=extra)

        return upload

    def _deleting(self, key: str) -> Callable[[], Any]:
        return lambda: self._client.delete_object(**self._at(key))

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": key}

    async def _run(self, action: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    async def _call(self, operation: str, action: Callable[[], Result]) -> Result:
        started, outcome = time.perf_counter(), "ok"
        try:
            return await self._run(action)
        except ClientError as error:
            outcome = str(error.response.get("Error", {}).get("Code"))
            raise _translated(error, outcome) from error
        except (BotoCoreError, OSError) as error:
            outcome = "unreachable"
            pause = random.uniform(*UNREACHABLE_PAUSES)  # noqa: S311  spreads load, guards nothing
            raise Unavailable(f"object storage: {error}", retry_after_seconds=pause) from error
        finally:
            seconds = time.perf_counter() - started
            telemetry.storage_call_seconds.labels(self._service, operation, outcome).observe(seconds)


def _translated(error: ClientError, code: str) -> Exception:
    if code in ("404", "NoSuchKey", "NotFound"):
        return NotFound("object")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return TransientError(f"object storage: {error}")
    return PermanentError(f"object storage: {error}")


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@asynccontextmanager
async def open_storage(settings: StorageSettings, *, service: str) -> AsyncIterator[Storage]:
    """Two clients: one for our own calls, one that signs links with the public host."""

    def client(endpoint: str | None) -> Any:
        key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.aws_region,
            aws_access_key_id=key.get_secret_value() if key else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "auto"},
                connect_timeout=5,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
                max_pool_connections=THREADS * 2,
            ),
        )

    own = client(settings.s3_endpoint_url)
    public_url = settings.s3_public_url
    public = client(public_url) if public_url and public_url != settings.s3_endpoint_url else own
    storage = Storage(own, public, bucket=settings.s3_bucket_name, service=service)
    try:
        yield storage
    finally:
        storage.close()
