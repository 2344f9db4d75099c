"""Storage: an object is named by what it holds, checked when it is read, and handed out by links that expire."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from pydantic import SecretStr

from fenta.chassis.errors import NotFound, PermanentError, TransientError, Unavailable
from fenta.chassis.storage import Storage, open_storage
from fenta.contracts.values import storage_key
from tests.conftest import until
from tests.support.bus import free_ports
from tests.support.store import KEY, SECRET, StoreProcess

DATA = b"moving pictures"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    process = StoreProcess(tmp_path_factory.mktemp("store"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def storage(store: StoreProcess) -> AsyncIterator[Storage]:
    async with open_storage(store.settings(), service="render") as storage:
        yield storage


@pytest.fixture
def s3(store: StoreProcess) -> Iterator[Any]:
    """The store as somebody else sees it."""
    client = boto3.client(
        "s3", endpoint_url=store.url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    yield client
    client.close()


def keys(s3: Any, prefix: str) -> list[str]:
    listed = s3.list_objects_v2(Bucket="media", Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Contents", [])]


async def test_equal_bytes_are_one_object_of_their_organisation(storage: Storage, s3: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)

    first = await storage.put("org_one", DATA, media_type="video/mp4")
    second = await storage.put("org_one", DATA, media_type="video/mp4")
    third = await storage.put_file("org_one", tmp_path / "file", media_type="video/mp4")

    assert first == second == third == HASH
    key = storage_key("org_one", HASH)
    assert keys(s3, key.rsplit("/", 1)[0]) == [key]
    assert await storage.get("org_one", HASH) == DATA
    assert not await storage.exists("org_two", HASH)


async def test_what_does_not_hold_what_its_name_says_is_refused(storage: Storage, s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="media", Key=storage_key("org_bad", HASH), Body=b"something else")

    with pytest.raises(PermanentError, match="does not hold"):
        await storage.get("org_bad", HASH)
    with pytest.raises(PermanentError, match="does not hold"):
        await storage.fetch("org_bad", HASH, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


async def test_a_fetched_object_is_whole(storage: Storage, tmp_path: Path) -> None:
    await storage.put("org_fetch", DATA, media_type="video/mp4")

    path = await storage.fetch("org_fetch", HASH, tmp_path / "copy")

    assert path.read_bytes() == DATA
    assert [entry.name for entry in tmp_path.iterdir()] == ["copy"]


async def test_what_is_not_there_is_not_found(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await storage.get("org_none", HASH)
    with pytest.raises(NotFound):
        await storage.fetch("org_none", HASH, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


async def test_a_link_works_for_anybody_until_it_expires(storage: Storage) -> None:
    await storage.put("org_link", DATA, media_type="video/mp4")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(storage.link("org_link", HASH, filename="film.mp4"))
        short = storage.link("org_link", HASH, seconds=1)

        async def expired() -> bool:
            return (await client.get(short)).status_code == 403

        await until(expired)
        bent = await client.get(storage.link("org_link", HASH).replace("org_link", "org_other"))

    assert answer.content == DATA
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"] == 'attachment; filename="film.mp4"'
    assert bent.status_code == 403


async def test_links_carry_the_public_host(store: StoreProcess) -> None:
    async with open_storage(store.settings(s3_public_url="https://media.example"), service="render") as storage:
        assert storage.link("org_1", HASH).startswith("https://media.example/media/")


async def test_the_sweep_spares_what_living_tasks_hold_and_reads_every_page_of_the_list(s3: Any) -> None:
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 2})
    storage = Storage(s3, s3, bucket="media", service="render")
    for name in ("render/alive/1", "render/alive/2", "render/alive/3", "render/dead/part", "generation/dead/part"):
        s3.put_object(Bucket="media", Key=f"tmp/{name}", Body=b"x")

    assert await storage.sweep(living={"alive"}, older_than_seconds=3600) == 0
    assert await storage.sweep(living={"alive"}, older_than_seconds=-1) == 1

    assert keys(s3, "tmp/render/dead") == []
    assert keys(s3, "tmp/render/alive/3") == ["tmp/render/alive/3"]
    assert keys(s3, "tmp/generation/dead") == ["tmp/generation/dead/part"]
    storage.close()


async def test_a_store_that_is_away_is_a_passing_trouble(store: StoreProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    (port,) = free_ports(1)
    async with open_storage(store.settings(s3_endpoint_url=f"http://127.0.0.1:{port}"), service="render") as storage:
        with pytest.raises(Unavailable) as trouble:
            await storage.put("org_1", DATA, media_type="video/mp4")
        assert trouble.value.retry_after_seconds
        with pytest.raises(TransientError):
            await storage.put_file("org_1", tmp_path / "file", media_type="video/mp4")
        with pytest.raises(TransientError):
            await storage.ping()


async def test_a_wrong_key_is_a_lasting_trouble(store: StoreProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    settings = store.settings().model_copy(update={"aws_secret_access_key": SecretStr("wrong")})
    async with open_storage(settings, service="render") as storage:
        with pytest.raises(PermanentError):
            await storage.put("org_1", DATA, media_type="video/mp4")
        with pytest.raises(PermanentError):
            await storage.put_file("org_1", tmp_path / "file", media_type="video/mp4")
