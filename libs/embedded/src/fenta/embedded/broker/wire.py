"""The shapes of the requests and answers that this broker serves, by API and version, as the protocol guide lists them.

The primitive types come from `aiokafka.protocol`; the messages are our own tables, because its set has gaps (no
JoinGroup 3-4, no OffsetCommit 4-7, …) and clients like librdkafka take every version inside the range they are offered.
Decoded messages are plain dicts; when encoding, a missing field takes its default.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple, Protocol

from aiokafka.protocol.types import Boolean, Bytes, Int8, Int16, Int32, Int64, String

Message = dict[str, Any]

LATEST = 1 << 15
STRING = String("utf-8")


class BadRequest(Exception):
    """These bytes are no request, or none in a version that the broker serves."""


class Kind(Protocol):
    """Anything with an encoding."""

    def encode(self, value: Any) -> bytes: ...
    def decode(self, data: BytesIO) -> Any: ...


@dataclass(frozen=True)
class Field:
    """One field of a message, present in the versions `since` to `until`."""

    name: str
    kind: Any
    since: int = 0
    until: int = LATEST
    default: Any = None
    nullable: bool = False

    @property
    def refuses_null(self) -> bool:
        """Texts and lists do unless the protocol says otherwise; absent bytes are empty bytes to us."""
        return not self.nullable and (self.kind is STRING or isinstance(self.kind, list))


class Struct:
    """The fields of one version, one after the other."""

    def __init__(self, fields: tuple[Field, ...], version: int) -> None:
        present = [field for field in fields if field.since <= version <= field.until]
        self.parts: list[tuple[str, Kind, Any]] = [
            (field.name, _kind(field.kind, version), _default(field)) for field in present
        ]
        self.needed = [field.name for field in present if field.refuses_null]

    def encode(self, value: Mapping[str, Any]) -> bytes:
        return b"".join([kind.encode(value.get(name, default)) for name, kind, default in self.parts])

    def decode(self, data: BytesIO) -> Message:
        message = {name: kind.decode(data) for name, kind, _ in self.parts}
        for name in self.needed:
            if message[name] is None:
                raise ValueError(f"{name} is null")
        return message


class List:
    """An array; None is the protocol's null array."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def encode(self, value: list[Any] | None) -> bytes:
        length: bytes = Int32.encode(-1 if value is None else len(value))
        return length + b"".join([self.kind.encode(entry) for entry in value or []])

    def decode(self, data: BytesIO) -> list[Any] | None:
        length = Int32.decode(data)
        if length < 0:
            return None
        entries = [self.kind.decode(data) for _ in range(length)]
        if None in entries:
            raise ValueError("an entry is null")
        return entries


def _kind(declared: Any, version: int) -> Any:
    """A tuple of fields is a struct, a list of one kind is an array, anything else encodes itself."""
    if isinstance(declared, tuple):
        return Struct(declared, version)
    if isinstance(declared, list):
        return List(_kind(declared[0], version))
    return declared


def _default(field: Field) -> Any:
    if field.default is not None or field.kind in (STRING, Bytes):
        return field.default
    return [] if isinstance(field.kind, list) else 0


class Api(NamedTuple):
    """One kind of request: its number, the versions on offer, both shapes."""

    key: int
    name: str
    minimum: int
    maximum: int
    request: tuple[Field, ...]
    answer: tuple[Field, ...]


THROTTLE = "throttle_time_ms"
ERROR = Field("error_code", Int16)


def optional(name: str, since: int = 0) -> Field:
    """A text that may be null."""
    return Field(name, STRING, since, nullable=True)


MESSAGE = optional("error_message")
NAME = Field("name", STRING)
INDEX = Field("index", Int32)
GROUP = Field("group_id", STRING)
GENERATION = Field("generation_id", Int32)
MEMBER = Field("member_id", STRING)
TIMEOUT = Field("timeout_ms", Int32)


def instance(since: int) -> Field:
    return optional("group_instance_id", since)


def throttle(since: int) -> Field:
    return Field(THROTTLE, Int32, since)


def topics(*partition: Field, name: str = "topics") -> Field:
    return Field(name, [(NAME, Field("partitions", [partition]))])


PRODUCE = Api(
    0, "produce", 3, 7,
    (optional("transactional_id"), Field("acks", Int16), TIMEOUT, topics(INDEX, Field("records", Bytes))),
    (
        topics(
            INDEX, ERROR, Field("base_offset", Int64), Field("log_append_time_ms", Int64, default=-1),
            Field("log_start_offset", Int64, 5),
        ),
        throttle(1),
    ),
)  # fmt: skip

FETCH = Api(
    1, "fetch", 4, 11,
    (
        Field("replica_id", Int32), Field("max_wait_ms", Int32), Field("min_bytes", Int32), Field("max_bytes", Int32),
        Field("isolation_level", Int8), Field("session_id", Int32, 7), Field("session_epoch", Int32, 7),
        topics(
            INDEX, Field("current_leader_epoch", Int32, 9), Field("fetch_offset", Int64),
            Field("log_start_offset", Int64, 5), Field("max_bytes", Int32),
        ),
        Field("forgotten_topics", [(NAME, Field("partitions", [Int32]))], 7), Field("rack_id", STRING, 11),
    ),
    (
        throttle(1), Field("error_code", Int16, 7), Field("session_id", Int32, 7),
        topics(
            INDEX, ERROR, Field("high_watermark", Int64), Field("last_stable_offset", Int64, 4),
            Field("log_start_offset", Int64, 5),
            Field(
                "aborted_transactions", [(Field("producer_id", Int64), Field("first_offset", Int64))], 4, nullable=True
            ),
            Field("preferred_read_replica", Int32, 11, default=-1), Field("records", Bytes, default=b""),
        ),
    ),
)  # fmt: skip

LIST_OFFSETS = Api(
    2, "list_offsets", 1, 3,
    (Field("replica_id", Int32), Field("isolation_level", Int8, 2), topics(INDEX, Field("timestamp", Int64))),
    (throttle(2), topics(INDEX, ERROR, Field("timestamp", Int64, default=-1), Field("offset", Int64, default=-1))),
)  # fmt: skip

METADATA = Api(
    3, "metadata", 0, 5,
    (Field("topics", [STRING], nullable=True), Field("allow_auto_topic_creation", Boolean, 4)),
    (
        throttle(3),
        Field("brokers", [(
            Field("node_id", Int32), Field("host", STRING), Field("port", Int32), optional("rack", 1),
        )]),
        optional("cluster_id", 2), Field("controller_id", Int32, 1),
        Field("topics", [(
            ERROR, NAME, Field("is_internal", Boolean, 1),
            Field("partitions", [(
                ERROR, INDEX, Field("leader", Int32), Field("replicas", [Int32]), Field("in_sync", [Int32]),
                Field("offline", [Int32], 5),
            )]),
        )]),
    ),
)  # fmt: skip

OFFSET_COMMIT = Api(
    8, "offset_commit", 2, 7,
    (
        GROUP, GENERATION, MEMBER, instance(7), Field("retention_time_ms", Int64, 2, 4),
        topics(INDEX, Field("offset", Int64), Field("leader_epoch", Int32, 6), optional("metadata")),
    ),
    (throttle(3), topics(INDEX, ERROR)),
)  # fmt: skip

OFFSET_FETCH = Api(
    9, "offset_fetch", 1, 5,
    (GROUP, Field("topics", [(NAME, Field("partitions", [Int32]))], nullable=True)),
    (
        throttle(3),
        topics(
            INDEX, Field("offset", Int64, default=-1), Field("leader_epoch", Int32, 5, default=-1),
            optional("metadata"), ERROR,
        ),
        Field("error_code", Int16, 2),
    ),
)  # fmt: skip

FIND_COORDINATOR = Api(
    10, "find_coordinator", 0, 2,
    (Field("key", STRING), Field("key_type", Int8, 1)),
    (
        throttle(1), ERROR, optional("error_message", 1), Field("node_id", Int32), Field("host", STRING),
        Field("port", Int32),
    ),
)  # fmt: skip

JOIN_GROUP = Api(
    11, "join_group", 0, 5,
    (
        GROUP, Field("session_timeout_ms", Int32), Field("rebalance_timeout_ms", Int32, 1), MEMBER, instance(5),
        Field("protocol_type", STRING), Field("protocols", [(NAME, Field("metadata", Bytes))]),
    ),
    (
        throttle(2), ERROR, Field("generation_id", Int32, default=-1), Field("protocol_name", STRING, default=""),
        Field("leader", STRING, default=""), Field("member_id", STRING, default=""),
        Field("members", [(MEMBER, instance(5), Field("metadata", Bytes))]),
    ),
)  # fmt: skip

HEARTBEAT = Api(
    12, "heartbeat", 0, 3,
    (GROUP, GENERATION, MEMBER, instance(3)),
    (throttle(1), ERROR),
)  # fmt: skip

LEAVE_GROUP = Api(
    13, "leave_group", 0, 3,
    (GROUP, Field("member_id", STRING, 0, 2), Field("members", [(MEMBER, instance(3))], 3)),
    (throttle(1), ERROR, Field("members", [(MEMBER, instance(3), ERROR)], 3)),
)  # fmt: skip

SYNC_GROUP = Api(
    14, "sync_group", 0, 3,
    (GROUP, GENERATION, MEMBER, instance(3), Field("assignments", [(MEMBER, Field("assignment", Bytes))])),
    (throttle(1), ERROR, Field("assignment", Bytes, default=b"")),
)  # fmt: skip

DESCRIBE_GROUPS = Api(
    15, "describe_groups", 0, 4,
    (Field("groups", [STRING]), Field("include_authorized_operations", Boolean, 3)),
    (
        throttle(1),
        Field("groups", [(
            ERROR, GROUP, Field("state", STRING), Field("protocol_type", STRING), Field("protocol", STRING),
            Field("members", [(
                MEMBER, instance(4), Field("client_id", STRING), Field("client_host", STRING),
                Field("metadata", Bytes), Field("assignment", Bytes),
            )]),
            Field("authorized_operations", Int32, 3, default=-(1 << 31)),
        )]),
    ),
)  # fmt: skip

LIST_GROUPS = Api(
    16, "list_groups", 0, 2,
    (),
    (throttle(1), ERROR, Field("groups", [(GROUP, Field("protocol_type", STRING))])),
)  # fmt: skip

API_VERSIONS = Api(
    18, "api_versions", 0, 2,
    (),
    (
        ERROR,
        Field("apis", [(Field("key", Int16), Field("minimum", Int16), Field("maximum", Int16))]),
        throttle(1),
    ),
)  # fmt: skip

CONFIGS = Field("configs", [(NAME, optional("value"))])

CREATE_TOPICS = Api(
    19, "create_topics", 0, 4,
    (
        Field("topics", [(
            NAME, Field("partition_count", Int32), Field("replication_factor", Int16),
            Field("assignments", [(INDEX, Field("brokers", [Int32]))]), CONFIGS,
        )]),
        TIMEOUT, Field("validate_only", Boolean, 1),
    ),
    (throttle(2), Field("topics", [(NAME, ERROR, optional("error_message", 1))])),
)  # fmt: skip

DELETE_TOPICS = Api(
    20, "delete_topics", 0, 3,
    (Field("names", [STRING]), TIMEOUT),
    (throttle(1), Field("topics", [(NAME, ERROR)])),
)  # fmt: skip

DELETE_RECORDS = Api(
    21, "delete_records", 0, 1,
    (topics(INDEX, Field("offset", Int64)), TIMEOUT),
    (throttle(0), topics(INDEX, Field("low_watermark", Int64, default=-1), ERROR)),
)  # fmt: skip

INIT_PRODUCER_ID = Api(
    22, "init_producer_id", 0, 1,
    (optional("transactional_id"), TIMEOUT),
    (throttle(0), ERROR, Field("producer_id", Int64, default=-1), Field("producer_epoch", Int16, default=-1)),
)  # fmt: skip

ACL = (
    Field("resource_type", Int8), optional("resource_name"), Field("pattern_type", Int8, 1),
    optional("principal"), optional("host"), Field("operation", Int8), Field("permission", Int8),
)  # fmt: skip

DESCRIBE_ACLS = Api(
    29, "describe_acls", 1, 1,
    ACL,
    (throttle(0), ERROR, MESSAGE, Field("resources", [ACL])),
)  # fmt: skip

CREATE_ACLS = Api(
    30, "create_acls", 1, 1,
    (Field("creations", [ACL]),),
    (throttle(0), Field("results", [(ERROR, MESSAGE)])),
)  # fmt: skip

DELETE_ACLS = Api(
    31, "delete_acls", 1, 1,
    (Field("filters", [ACL]),),
    (throttle(0), Field("results", [(ERROR, MESSAGE, Field("matching", [(ERROR, MESSAGE, *ACL)]))])),
)  # fmt: skip

DESCRIBE_CONFIGS = Api(
    32, "describe_configs", 0, 2,
    (
        Field("resources", [(Field("type", Int8), NAME, Field("keys", [STRING], nullable=True))]),
        Field("include_synonyms", Boolean, 1),
    ),
    (
        throttle(0),
        Field("results", [(
            ERROR, MESSAGE, Field("type", Int8), NAME,
            Field("configs", [(
                NAME, optional("value"), Field("read_only", Boolean), Field("is_default", Boolean, 0, 0),
                Field("source", Int8, 1), Field("is_sensitive", Boolean),
                Field("synonyms", [(NAME, optional("value"), Field("source", Int8))], 1),
            )]),
        )]),
    ),
)  # fmt: skip

ALTER_CONFIGS = Api(
    33, "alter_configs", 0, 1,
    (Field("resources", [(Field("type", Int8), NAME, CONFIGS)]), Field("validate_only", Boolean)),
    (throttle(0), Field("results", [(ERROR, MESSAGE, Field("type", Int8), NAME)])),
)  # fmt: skip

CREATE_PARTITIONS = Api(
    37, "create_partitions", 0, 1,
    (
        Field("topics", [(NAME, Field("count", Int32), Field("assignments", [[Int32]], nullable=True))]),
        TIMEOUT, Field("validate_only", Boolean),
    ),
    (throttle(0), Field("results", [(NAME, ERROR, MESSAGE)])),
)  # fmt: skip

INCREMENTAL_ALTER_CONFIGS = Api(
    44, "incremental_alter_configs", 0, 0,
    (
        Field("resources", [(
            Field("type", Int8), NAME,
            Field("configs", [(NAME, Field("operation", Int8), optional("value"))]),
        )]),
        Field("validate_only", Boolean),
    ),
    (throttle(0), Field("results", [(ERROR, MESSAGE, Field("type", Int8), NAME)])),
)  # fmt: skip

DELETE_GROUPS = Api(
    42, "delete_groups", 0, 1,
    (Field("groups", [STRING]),),
    (throttle(0), Field("results", [(GROUP, ERROR)])),
)  # fmt: skip

OFFSET_DELETE = Api(
    47, "offset_delete", 0, 0,
    (GROUP, topics(INDEX)),
    (ERROR, throttle(0), topics(INDEX, ERROR)),
)  # fmt: skip

APIS = {
    api.key: api
    for api in (
        PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT,
        LEAVE_GROUP, SYNC_GROUP, DESCRIBE_GROUPS, LIST_GROUPS, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS,
        DELETE_RECORDS, INIT_PRODUCER_ID, DESCRIBE_ACLS, CREATE_ACLS, DELETE_ACLS, DESCRIBE_CONFIGS, ALTER_CONFIGS,
        CREATE_PARTITIONS, DELETE_GROUPS, INCREMENTAL_ALTER_CONFIGS, OFFSET_DELETE,
    )
}  # fmt: skip

_SHAPES = {
    (api.key, version): (Struct(api.request, version), Struct(api.answer, version))
    for api in APIS.values()
    for version in range(api.minimum, api.maximum + 1)
}

_HEADER = struct.Struct(">hhi")
OFFERED = [{"key": api.key, "minimum": api.minimum, "maximum": api.maximum} for api in APIS.values()]


class Request(NamedTuple):
    """One decoded request; `client_id` is whatever the client calls itself."""

    api: Api
    version: int
    correlation_id: int
    client_id: str
    body: Message


def decode_request(frame: bytes) -> Request:
    if len(frame) < _HEADER.size:
        raise BadRequest("shorter than a request header")
    key, version, correlation_id = _HEADER.unpack_from(frame)
    if key == API_VERSIONS.key and version > API_VERSIONS.maximum:
        # Its body is in a newer encoding, but it holds nothing that we need for the answer.
        return Request(API_VERSIONS, version, correlation_id, "", {})
    if (key, version) not in _SHAPES:
        raise BadRequest(f"API {key} version {version}")
    data = BytesIO(frame)
    data.seek(_HEADER.size)
    try:
        client_id = STRING.decode(data) or ""
        return Request(APIS[key], version, correlation_id, client_id, _SHAPES[key, version][0].decode(data))
    except ValueError as error:
        raise BadRequest(f"API {key} version {version}: {error}") from None


def encode_answer(request: Request, body: Mapping[str, Any]) -> bytes:
    """The whole frame, length first. An unknown ApiVersions version is answered in version 0, as KIP-511 says."""
    version = request.version if request.version <= request.api.maximum else 0
    payload = _SHAPES[request.api.key, version][1].encode(body)
    return struct.pack(">ii", len(payload) + 4, request.correlation_id) + payload
