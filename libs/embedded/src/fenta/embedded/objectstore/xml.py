"""The few XML documents of S3, written and read."""

import re
from collections.abc import Iterable
from html import unescape
from xml.sax.saxutils import escape

from .disk import Stored
from .errors import invalid
from .uploads import Part

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PART = re.compile(r"<Part>(.*?)</Part>", re.S)
NUMBER = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")
ETAG = re.compile(r"<ETag>\s*(.*?)\s*</ETag>", re.S)
OBJECT_KEY = re.compile(r"<Object>.*?<Key>(.*?)</Key>.*?</Object>", re.S)
MOST_DELETED_AT_ONCE = 1000


def element(name: str, *children: str) -> str:
    return f"<{name}>{''.join(children)}</{name}>"


def text(name: str, value: object) -> str:
    return element(name, escape(str(value)))


def document(name: str, *children: str) -> bytes:
    body = f'<{name} xmlns="{NAMESPACE}">{"".join(children)}</{name}>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def error(code: str, sentence: str) -> bytes:
    """Errors carry no namespace."""
    body = element("Error", text("Code", code), text("Message", sentence))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def entry(stored: Stored, key: str) -> str:
    return element(
        "Contents",
        text("Key", key),
        text("LastModified", stored.modified.replace("+00:00", "Z")),
        text("ETag", f'"{stored.etag}"'),
        text("Size", stored.size),
        text("StorageClass", "STANDARD"),
    )


def read_parts(body: bytes) -> list[Part]:
    """What a client names to complete an upload. Such documents are flat, so no parser, and none of its attacks."""
    parts = []
    for match in PART.findall(body.decode(errors="replace")):
        number, etag = NUMBER.search(match), ETAG.search(match)
        if number is None or etag is None:
            raise invalid("A part needs its number and its ETag.", "MalformedXML")
        parts.append(Part(int(number[1]), unescape(etag[1]).strip('"')))
    return parts


def read_keys(body: bytes) -> list[str]:
    keys = [unescape(key) for key in OBJECT_KEY.findall(body.decode(errors="replace"))]
    if not 0 < len(keys) <= MOST_DELETED_AT_ONCE:
        raise invalid(f"Name 1 to {MOST_DELETED_AT_ONCE} objects.", "MalformedXML")
    return keys


def parts_list(parts: Iterable[tuple[Part, int]]) -> str:
    return "".join(
        element("Part", text("PartNumber", part.number), text("ETag", f'"{part.etag}"'), text("Size", size))
        for part, size in parts
    )
