"""The local object store as boto3 and plain HTTP see it."""

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote

import boto3
import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from fenta.embedded.objectstore.signing import SignedRequest, Verifier

BUCKET = "fenta-web-assets"
KEYS = {"AWS_ACCESS_KEY_ID": "fenta", "AWS_SECRET_ACCESS_KEY": "a secret/with+signs", "S3_BUCKET_NAME": BUCKET}
PART = 5 << 20


@pytest.fixture
def store(run_part: Callable[..., Any]) -> Any:
    return run_part("fenta.embedded.objectstore", environment={**os.environ, **KEYS})


def client(part: Any, secret: str = KEYS["AWS_SECRET_ACCESS_KEY"], **options: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{part.port}",
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret,
        config=Config(
            s3={"addressing_style": "path"}, signature_version="s3v4", retries={"max_attempts": 1}, **options
        ),
    )


@pytest.fixture
def s3(store: Any) -> Iterator[Any]:
    made = client(store)
    yield made
    made.close()


def code_of(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as failure:
        call()
    answer = failure.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


KEY_NAMES = [
    "plain",
    "a/b/c.mp4",
    "with space & plus+.txt",
    "ünïcödé/日本.txt",
    "percent%2Fencoded",
    "tilde~(1)!*'.txt",
]


@pytest.mark.parametrize("key", KEY_NAMES)
def test_an_object_comes_back_with_what_was_said_of_it(s3: Any, key: str) -> None:
    put = s3.put_object(
        Bucket=BUCKET,
        Key=key,
        Body=b"bytes",
        ContentType="video/mp4",
        Metadata={"made-by": "test"},
        CacheControl="no-store",
    )
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert got["Body"].read() == b"bytes"
    assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("video/mp4", "no-store", {"made-by": "test"})
    head = s3.head_object(Bucket=BUCKET, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (5, put["ETag"])
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == [key]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key=key)) == ("NoSuchKey", 404)
    s3.delete_object(Bucket=BUCKET, Key=key)


def test_keys_that_lie_in_one_another_do_not_disturb_each_other(s3: Any) -> None:
    for key in ("a", "a/b", "a/b/c", "a/b/c.json"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in ("a", "a/b")] == [b"a", b"a/b"]


def test_presigned_links_let_one_read_and_write_without_the_key(s3: Any) -> None:
    put = s3.generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": "up load", "ContentType": "text/plain"}, ExpiresIn=60
    )
    assert httpx.put(put, content=b"hello", headers={"content-type": "text/plain"}).status_code == 200
    assert httpx.put(put, content=b"hello", headers={"content-type": "text/html"}).status_code == 403
    get = s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": BUCKET, "Key": "up load", "ResponseContentDisposition": 'attachment; filename="x"'},
        ExpiresIn=60,
    )
    answer = httpx.get(get)
    assert (answer.text, answer.headers["content-type"]) == ("hello", "text/plain")
    assert answer.headers["content-disposition"] == 'attachment; filename="x"'
    assert answer.headers["access-control-allow-origin"] == "*"
    assert httpx.put(get, content=b"no").status_code == 403


def test_forged_unsigned_and_foreign_requests_are_refused(store: Any, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"a")
    s3.put_object(Bucket=BUCKET, Key="b", Body=b"b")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=60)
    assert httpx.get(link).status_code == 200
    assert httpx.get(link.replace("/a?", "/b?")).status_code == 403
    assert httpx.get(link.replace("Expires=60", "Expires=6000")).status_code == 403
    assert httpx.get(link + "&response-content-type=text/html").status_code == 403
    assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403
    assert httpx.get(link.partition("?")[0]).status_code == 403
    assert code_of(lambda: client(store, secret="wrong").list_buckets()) == ("SignatureDoesNotMatch", 403)


def test_an_expired_link_is_refused(s3: Any, eventually: Callable[..., None]) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"a")
    params = {"Bucket": BUCKET, "Key": "a"}
    lasting = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=600)
    link = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=1)
    eventually(lambda: httpx.get(link).status_code == 403)
    assert "expired" in httpx.get(link).text
    assert httpx.get(lasting).status_code == 200


def test_a_signature_is_of_its_time() -> None:
    """An independent check of the arithmetic: the documented example of a presigned GET."""
    verifier = Verifier("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = SignedRequest("GET", "/test.txt", query, {"host": "examplebucket.s3.amazonaws.com"})
    made = datetime(2013, 5, 24, tzinfo=UTC)
    assert verifier.verify(request, made + timedelta(hours=23)) == "UNSIGNED-PAYLOAD"
    for moment in (made + timedelta(hours=25), made - timedelta(hours=1)):
        with pytest.raises(Exception, match="AccessDenied"):
            verifier.verify(request, moment)


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-100", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges_are_served(s3: Any, wanted: str, expected: bytes, content_range: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    got = s3.get_object(Bucket=BUCKET, Key="digits", Range=wanted)
    assert (got["Body"].read(), got["ContentRange"]) == (expected, content_range)


def test_a_range_outside_is_416_and_a_strange_one_is_ignored(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="digits", Range="bytes=10-")) == ("InvalidRange", 416)
    assert s3.get_object(Bucket=BUCKET, Key="digits", Range="lines=1-2")["Body"].read() == b"0123456789"
    assert s3.get_object(Bucket=BUCKET, Key="empty")["Body"].read() == b""


def test_a_big_file_goes_up_and_down_in_parts(s3: Any) -> None:
    data = os.urandom(PART) * 3 + b"tail"
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
    s3.upload_fileobj(BytesIO(data), BUCKET, "big", ExtraArgs={"ContentType": "video/mp4"}, Config=config)
    head = s3.head_object(Bucket=BUCKET, Key="big")
    assert (head["ContentLength"], head["ContentType"]) == (len(data), "video/mp4")
    assert head["ETag"].endswith('-4"')
    got = BytesIO()
    s3.download_fileobj(BUCKET, "big", got, Config=config)
    assert got.getvalue() == data


def test_only_the_named_parts_in_rising_order_complete_an_upload(store: Any, s3: Any) -> None:
    place = {"Bucket": BUCKET, "Key": "parts"}
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    tags = {
        number: s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, b"1" * PART), (2, b"2" * PART), (3, b"3"))
    }

    def complete(*numbers: int, **wrong: str) -> Any:
        parts = [{"PartNumber": number, "ETag": wrong.get("etag", tags[number])} for number in numbers]
        return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    assert [part["PartNumber"] for part in s3.list_parts(**upload)["Parts"]] == [1, 2, 3]
    assert code_of(lambda: complete(1, 3, etag='"0"'))[0] == "InvalidPart"
    assert code_of(lambda: complete(2, 1))[0] == "InvalidPartOrder"
    assert code_of(lambda: complete(3, 2))[0] in ("InvalidPartOrder", "EntityTooSmall")
    assert code_of(lambda: s3.get_object(**place)) == ("NoSuchKey", 404)
    complete(1, 3)
    assert s3.get_object(**place)["Body"].read() == b"1" * PART + b"3"
    assert code_of(lambda: complete(1, 3)) == ("NoSuchUpload", 404)
    assert not list((store.folder / "uploads").iterdir())


def test_an_aborted_upload_leaves_nothing(store: Any, s3: Any) -> None:
    place = {"Bucket": BUCKET, "Key": "parts"}
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"1")
    s3.abort_multipart_upload(**upload)
    assert code_of(lambda: s3.upload_part(**upload, PartNumber=2, Body=b"2")) == ("NoSuchUpload", 404)
    assert not list((store.folder / "uploads").iterdir())


def test_if_none_match_lets_only_one_writer_through(store: Any) -> None:
    def write(number: int) -> bool:
        mine = client(store)
        try:
            mine.put_object(Bucket=BUCKET, Key="once", Body=b"%d" % number * 100_000, IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"] != "PreconditionFailed"
        finally:
            mine.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(write, range(6))) == 1


def test_lists_come_in_pages_and_fold_at_a_delimiter(s3: Any) -> None:
    for key in ("a/1", "a/2", "b", "c/1", "c/d/2", "z"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2}))
    assert [[entry["Key"] for entry in page["Contents"]] for page in pages] == [
        ["a/1", "a/2"],
        ["b", "c/1"],
        ["c/d/2", "z"],
    ]
    folded = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1})
    )
    prefixes = [entry["Prefix"] for page in folded for entry in page.get("CommonPrefixes", [])]
    keys = [entry["Key"] for page in folded for entry in page.get("Contents", [])]
    assert (prefixes, keys) == (["a/", "c/"], ["b", "z"])
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="c/")["Contents"]] == ["c/1", "c/d/2"]
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="none")["KeyCount"] == 0


def test_a_copy_keeps_or_replaces_what_is_said_of_it(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="from here", Body=b"x", ContentType="text/plain", Metadata={"k": "v"})
    source = {"Bucket": BUCKET, "Key": "from here"}
    s3.copy_object(Bucket=BUCKET, Key="kept", CopySource=source)
    s3.copy_object(
        Bucket=BUCKET, Key="changed", CopySource=source, MetadataDirective="REPLACE", ContentType="text/html"
    )
    s3.delete_object(**source)
    kept, changed = s3.get_object(Bucket=BUCKET, Key="kept"), s3.get_object(Bucket=BUCKET, Key="changed")
    assert (kept["ContentType"], kept["Metadata"], kept["Body"].read()) == ("text/plain", {"k": "v"}, b"x")
    assert (changed["ContentType"], changed["Metadata"], changed["Body"].read()) == ("text/html", {}, b"x")


def test_many_objects_are_deleted_at_once(s3: Any) -> None:
    for key in ("a", "b & c", "d"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}, {"Key": "b & c"}]})
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["d"]


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/../../b", "a/./b", "..", "x\\..\\y"])
def test_a_key_that_tries_to_leave_is_refused(store: Any, s3: Any, key: str) -> None:
    link = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "KEY"}, ExpiresIn=60)
    assert code_of(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"x"))[1] in (400, 403)
    assert httpx.put(link.replace("KEY", quote(key, safe="")), content=b"x").status_code in (400, 403)
    assert not list((store.folder / "data").glob("*/*"))


def raw(store: Any, lines: list[str], body: bytes = b"") -> str:
    """What an HTTP client would tidy up is sent as it stands."""
    with socket.create_connection(("127.0.0.1", store.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received.decode().partition("\r\n")[0]


def chunked(store: Any, s3: Any, body: bytes, **headers: str) -> str:
    """A PUT in the form that SDKs use over TLS; the signature does not cover such a body."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    url = f"http://127.0.0.1:{store.port}/{BUCKET}/streamed"
    request = AWSRequest("PUT", url, headers=headers)
    request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = [f"PUT /{BUCKET}/streamed HTTP/1.1", f"Host: 127.0.0.1:{store.port}", f"Content-Length: {len(body)}"]
    return raw(store, [*head, *lines], body)


def test_a_chunked_body_is_checked_against_its_trailer(store: Any, s3: Any) -> None:
    names = {"x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked"}
    good = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    assert "200" in chunked(store, s3, good, **names)
    got = s3.get_object(Bucket=BUCKET, Key="streamed")
    assert got["Body"].read() == b"hello world"
    assert "ContentEncoding" not in got
    assert "400" in chunked(store, s3, good.replace(b"world", b"World"), **names)
    assert "400" in chunked(store, s3, good.replace(b"5\r\n", b"zz\r\n"), **names)
    assert "400" in chunked(store, s3, good[:-20], **names)
    assert "400" in chunked(store, s3, good, **{**names, "x-amz-decoded-content-length": "12"})
    assert s3.get_object(Bucket=BUCKET, Key="streamed")["Body"].read() == b"hello world"


def test_a_body_that_was_changed_on_the_way_is_refused(store: Any, s3: Any) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    url = f"http://127.0.0.1:{store.port}/{BUCKET}/tampered"
    request = AWSRequest("PUT", url, data=b"signed")
    S3SigV4Auth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
    assert httpx.put(url, headers=dict(request.headers), content=b"forged").status_code == 400
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="tampered")) == ("NoSuchKey", 404)


def test_a_refused_write_does_not_confuse_the_next_request(store: Any, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="taken", Body=b"first")
    for _ in range(3):
        refused = code_of(lambda: s3.put_object(Bucket=BUCKET, Key="taken", Body=b"x" * 500_000, IfNoneMatch="*"))
        assert refused == ("PreconditionFailed", 412)
        assert s3.get_object(Bucket=BUCKET, Key="taken")["Body"].read() == b"first"


def test_objects_survive_kill_9_and_leftovers_are_swept(store: Any, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"before", Metadata={"k": "v"})
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"after", Metadata={"k": "w"})
    store.kill()
    (store.folder / "incoming" / "half").write_bytes(b"x")
    (store.folder / "data" / "zz").mkdir()
    (store.folder / "data" / "zz" / "zzz").write_bytes(b"x")
    store.start()
    got = s3.get_object(Bucket=BUCKET, Key="kept")
    assert (got["Body"].read(), got["Metadata"]) == (b"after", {"k": "w"})
    assert len(list((store.folder / "data").glob("*/*"))) == 1
    assert not list((store.folder / "incoming").iterdir())


def test_buckets_are_made_and_missed(s3: Any) -> None:
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [BUCKET]
    s3.create_bucket(Bucket="another")
    s3.head_bucket(Bucket="another")
    assert code_of(lambda: s3.head_bucket(Bucket="nowhere"))[1] == 404
    assert code_of(lambda: s3.put_object(Bucket="nowhere", Key="a", Body=b""))[0] == "NoSuchBucket"


def test_without_keys_it_does_not_start(run_part: Callable[..., Any]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in KEYS}
    with pytest.raises(AssertionError, match="AWS_ACCESS_KEY_ID is not set"):
        run_part("fenta.embedded.objectstore", environment=environment)


def test_stopping_is_clean(store: Any) -> None:
    assert store.stop() == 0
    assert "Traceback" not in store.log.read_text()
