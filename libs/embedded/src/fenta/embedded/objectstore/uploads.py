"""Multipart uploads: parts wait in a folder of their own until the list that names them completes the object."""

import asyncio
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .body import Body
from .disk import Disk, Stored, check_key, concatenate, now, remove_folder
from .errors import Refused, invalid

UPLOAD_ID = re.compile(r"[0-9a-f]{32}\Z")
MOST_PARTS = 10_000
SMALLEST_PART_BYTES = 5 << 20


class Part(NamedTuple):
    """One part as it lies on disk, or as a completing client names it."""

    number: int
    etag: str


@dataclass(frozen=True)
class Uploads:
    """All uploads that are neither completed nor aborted."""

    disk: Disk

    def create(self, bucket: str, key: str, headers: dict[str, str]) -> str:
        self.disk.check_bucket(bucket)
        check_key(key)
        upload = uuid.uuid4().hex
        folder = self.disk.root / "uploads" / upload
        folder.mkdir()
        (folder / "upload.json").write_text(json.dumps({"bucket": bucket, "key": key, "headers": headers}))
        return upload

    def _folder(self, bucket: str, key: str, upload: str) -> Path:
        folder = self.disk.root / "uploads" / upload
        if UPLOAD_ID.match(upload) and (folder / "upload.json").exists():
            note = json.loads((folder / "upload.json").read_text())
            if (note["bucket"], note["key"]) == (bucket, key):
                return folder
        raise Refused(404, "NoSuchUpload", "There is no such upload, or it is finished.")

    async def add(self, bucket: str, key: str, upload: str, number: str, body: Body) -> str:
        """Stores one part, in place of an earlier one of its number; answers its ETag."""
        folder = self._folder(bucket, key, upload)
        if not number.isdigit() or not 1 <= int(number) <= MOST_PARTS:
            raise invalid(f"A part has a number from 1 to {MOST_PARTS}.")
        path, _ = await self.disk.receive(body)
        etag = body.md5.hexdigest()
        for former in folder.glob(f"{int(number)}-*"):
            former.unlink()
        path.replace(folder / f"{int(number)}-{etag}")
        return etag

    def parts(self, bucket: str, key: str, upload: str) -> list[tuple[Part, int]]:
        """What is there, by number, with sizes."""
        folder = self._folder(bucket, key, upload)
        found = ((file.name.partition("-"), file.stat().st_size) for file in folder.glob("*-*"))
        return sorted((Part(int(name[0]), name[2]), size) for name, size in found)

    async def complete(self, bucket: str, key: str, upload: str, wanted: list[Part]) -> Stored:
        """Joins exactly the named parts, in order; their ETags must be those that were answered."""
        folder = self._folder(bucket, key, upload)
        present = dict(self.parts(bucket, key, upload))
        _check_list(wanted, present)
        joined = self.disk.root / "incoming" / uuid.uuid4().hex
        files = [folder / f"{part.number}-{part.etag}" for part in wanted]
        size = await asyncio.to_thread(concatenate, files, joined)
        headers = json.loads((folder / "upload.json").read_text())["headers"]
        stored = Stored(key, self.disk.adopt(joined), size, _joint_etag(wanted), now(), headers)
        self.disk.put(bucket, stored)
        remove_folder(folder)
        return stored

    def abort(self, bucket: str, key: str, upload: str) -> None:
        remove_folder(self._folder(bucket, key, upload))


def _check_list(wanted: list[Part], present: dict[Part, int]) -> None:
    if not wanted or any(part not in present for part in wanted):
        raise invalid("A named part is missing or has another ETag.", "InvalidPart")
    numbers = [part.number for part in wanted]
    if numbers != sorted(set(numbers)):
        raise invalid("The parts must be named in rising order.", "InvalidPartOrder")
    if any(present[part] < SMALLEST_PART_BYTES for part in wanted[:-1]):
        raise invalid("All parts but the last have at least 5 MiB.", "EntityTooSmall")


def _joint_etag(parts: list[Part]) -> str:
    joint = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    return f"{joint.hexdigest()}-{len(parts)}"
