"""Objects on disk: bytes in `data/`, one JSON note per key in `keys/<bucket>/`; the note's rename is the commit.

A file is named by the hash of its key, so no key can name a place outside, and `a` and `a/b` can both exist.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fenta.embedded.processes import lock_folder, write_atomically

from .errors import Refused, invalid

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
LONGEST_KEY_BYTES = 1024
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Stored:
    """One object. `headers` are those that a reader gets back as the writer gave them."""

    key: str
    blob: str
    size: int
    etag: str
    modified: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def modified_at(self) -> datetime:
        return datetime.fromisoformat(self.modified)


@dataclass(frozen=True)
class Blob:
    """Bytes on disk that no key names yet."""

    name: str
    size: int
    md5: str


class Disk:
    """All buckets under one folder; an index of their keys is kept in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = lock_folder(root / "store.lock")
        for name in ("data", "keys", "uploads", "incoming"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self._buckets: dict[str, dict[str, Stored]] = {}
        self._order: dict[str, list[str]] = {}
        for folder in (root / "keys").iterdir():
            self._load(folder)
        self._sweep()

    def _load(self, folder: Path) -> None:
        notes = (Stored(**json.loads(note.read_text())) for note in folder.glob("*.json"))
        self._buckets[folder.name] = {note.key: note for note in notes}
        self._order[folder.name] = sorted(self._buckets[folder.name])

    def _sweep(self) -> None:
        """Bytes that a crash left without a note belong to nobody."""
        named = {stored.blob for bucket in self._buckets.values() for stored in bucket.values()}
        for path in (self.root / "data").glob("*/*"):
            if path.name not in named:
                path.unlink()
        for path in (self.root / "incoming").iterdir():
            path.unlink()

    # Buckets and keys

    def create_bucket(self, bucket: str) -> None:
        if not BUCKET_NAME.match(bucket) or ".." in bucket:
            raise invalid("Not a bucket name.", "InvalidBucketName")
        (self.root / "keys" / bucket).mkdir(exist_ok=True)
        self._buckets.setdefault(bucket, {})
        self._order.setdefault(bucket, [])

    def buckets(self) -> list[str]:
        return sorted(self._buckets)

    def check_bucket(self, bucket: str) -> None:
        if bucket not in self._buckets:
            raise Refused(404, "NoSuchBucket", f"There is no bucket {bucket}.")

    def find(self, bucket: str, key: str) -> Stored | None:
        self.check_bucket(bucket)
        check_key(key)
        return self._buckets[bucket].get(key)

    def get(self, bucket: str, key: str) -> Stored:
        stored = self.find(bucket, key)
        if stored is None:
            raise Refused(404, "NoSuchKey", "There is no object of that key.")
        return stored

    def keys_from(self, bucket: str, prefix: str, after: str) -> Iterator[Stored]:
        """In order; those that start with `prefix` and come after `after`."""
        self.check_bucket(bucket)
        order = self._order[bucket]
        position = max(bisect_left(order, prefix), bisect_right(order, after) if after else 0)
        for key in order[position:]:
            if not key.startswith(prefix):
                return
            yield self._buckets[bucket][key]

    # Bytes

    def blob_path(self, blob: str) -> Path:
        return self.root / "data" / blob[:2] / blob

    async def receive(self, body: AsyncIterable[bytes]) -> tuple[Path, int]:
        """Writes a body beside its place; a refusal half-way leaves nothing."""
        path = self.root / "incoming" / uuid.uuid4().hex
        size = 0
        try:
            with path.open("wb") as file:
                async for data in body:
                    file.write(data)
                    size += len(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path, size

    def adopt(self, path: Path) -> str:
        """Gives a complete file its place among the data; answers its name there."""
        blob = uuid.uuid4().hex
        target = self.blob_path(blob)
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        return blob

    def duplicate(self, stored: Stored) -> str:
        """The same bytes under a second name; they are never written to again, so a hard link will do."""
        blob = uuid.uuid4().hex
        target = self.blob_path(blob)
        target.parent.mkdir(exist_ok=True)
        os.link(self.blob_path(stored.blob), target)
        return blob

    def put(self, bucket: str, stored: Stored) -> None:
        """From here on the key has these bytes, also after a crash; the former ones go."""
        former = self.find(bucket, stored.key)
        write_atomically(self._note(bucket, stored.key), json.dumps(asdict(stored)))
        if former is None:
            insort(self._order[bucket], stored.key)
        self._buckets[bucket][stored.key] = stored
        if former is not None:
            self.blob_path(former.blob).unlink(missing_ok=True)

    def delete(self, bucket: str, key: str) -> None:
        former = self.find(bucket, key)
        if former is None:
            return
        self._note(bucket, key).unlink(missing_ok=True)
        del self._buckets[bucket][key]
        del self._order[bucket][bisect_left(self._order[bucket], key)]
        self.blob_path(former.blob).unlink(missing_ok=True)

    def _note(self, bucket: str, key: str) -> Path:
        return self.root / "keys" / bucket / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def close(self) -> None:
        self._lock.close()


def check_key(key: str) -> None:
    """Refuses what could be taken for a way out of the bucket, here or wherever the key is used as a path later."""
    if not key or len(key.encode()) > LONGEST_KEY_BYTES or "\0" in key:
        raise invalid("A key is 1 to 1024 bytes without NUL.", "KeyTooLongError" if key else "InvalidArgument")
    if any(part in (".", "..") for part in key.replace("\\", "/").split("/")):
        raise invalid("A key may not contain the parts '.' and '..'.")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def concatenate(parts: list[Path], target: Path) -> int:
    with target.open("wb") as joined:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, joined, COPY_BYTES)
        joined.flush()
        os.fsync(joined.fileno())
    return target.stat().st_size


def remove_folder(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
