"""ListObjectsV2: one page of keys, folded at a delimiter."""

import base64
import binascii
from collections.abc import Mapping
from itertools import islice
from urllib.parse import quote

from . import xml
from .disk import Disk, Stored
from .errors import invalid

LONGEST_PAGE = 1000


def list_objects(disk: Disk, bucket: str, query: Mapping[str, str]) -> bytes:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    size = _page_size(query.get("max-keys", str(LONGEST_PAGE)))
    after = (
        _decode_token(query["continuation-token"]) if "continuation-token" in query else query.get("start-after", "")
    )
    page = list(islice(_folded(disk, bucket, prefix, delimiter, after), size + 1))
    truncated, page = len(page) > size, page[:size]
    encode = quote if query.get("encoding-type") == "url" else str
    return xml.document(
        "ListBucketResult",
        xml.text("Name", bucket),
        xml.text("Prefix", encode(prefix)),
        xml.text("Delimiter", delimiter) if delimiter else "",
        xml.text("EncodingType", "url") if encode is quote else "",
        xml.text("MaxKeys", size),
        xml.text("KeyCount", len(page)),
        xml.text("IsTruncated", str(truncated).lower()),
        xml.text("NextContinuationToken", _encode_token(page[-1][0])) if truncated and page else "",
        *[_entry(encode(name), stored) for name, stored in page],
    )


def _folded(disk: Disk, bucket: str, prefix: str, delimiter: str, after: str):  # type: ignore[no-untyped-def]
    """(key, object) or, for keys that share what comes before the delimiter, (common prefix, None) once."""
    last = ""
    for stored in disk.keys_from(bucket, prefix, after):
        head, found, _ = stored.key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        common = prefix + head + delimiter if found else ""
        if not common:
            yield stored.key, stored
        elif common not in (last, after):
            last = common
            yield common, None


def _entry(name: str, stored: Stored | None) -> str:
    if stored is None:
        return xml.element("CommonPrefixes", xml.text("Prefix", name))
    return xml.entry(stored, name)


def _page_size(text: str) -> int:
    if not text.isdigit():
        raise invalid("max-keys must be a number.")
    return min(int(text), LONGEST_PAGE)


def _encode_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError):
        raise invalid("The continuation token is not one of ours.") from None
