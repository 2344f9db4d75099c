"""Results of a job as files: whole, checked against their hash, or not there at all."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from .api import Json

# Documents of the job itself, which its manifest repeats.
UNWANTED = {"script"}
MANIFEST = "manifest.json"
TIMEOUT = httpx.Timeout(60, connect=5)
PAUSES_SECONDS = (0.2, 1.0, 3.0)


class Incomplete(Exception):
    """A result could not be fetched as it was made."""


def download(outputs: Sequence[Json], manifest: Json, folder: Path) -> list[Path]:
    """The files of a job and its manifest; those of an earlier job in this folder are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _by_file(outputs)
    # Signed links need no token, and must not get one: they may lead to another host.
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
        files = [_fetch(client, output, folder / file) for file, output in wanted.items()]
    return [*files, _write_manifest(manifest, folder / MANIFEST)]


def _by_file(outputs: Sequence[Json]) -> dict[str, Json]:
    """By the names that the job gives them; a name is no path."""
    wanted = (output for output in outputs if output["name"] not in UNWANTED)
    return {Path(output["filename"]).name: output for output in wanted}


def _fetch(client: httpx.Client, output: Json, path: Path) -> Path:
    for pause in (*PAUSES_SECONDS, None):
        try:
            return _fetch_once(client, output, path)
        except (httpx.TransportError, Incomplete) as error:
            if pause is None:
                raise Incomplete(f"{path.name} could not be fetched: {error}") from error
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _fetch_once(client: httpx.Client, output: Json, path: Path) -> Path:
    partial, digest = path.with_name(f".{path.name}.part"), hashlib.sha256()
    try:
        with client.stream("GET", output["url"]) as answer, partial.open("wb") as file:
            if not answer.is_success:
                raise Incomplete(f"the link answered {answer.status_code}")
            for chunk in answer.iter_bytes(1 << 16):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != output["sha256"]:
            raise Incomplete("what came is not what was made (its hash differs)")
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_manifest(manifest: Json, path: Path) -> Path:
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return path
