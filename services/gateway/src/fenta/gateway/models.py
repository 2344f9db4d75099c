"""What the gateway's tables hold, and the transitions they allow."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

REUSE_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class Person:
    id: str
    email: str
    name: str
    password_hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Organisation:
    """An organisation as one of its members sees it."""

    org_id: str
    name: str
    slug: str
    plan: str
    role: str
    member_count: int
    created_at: datetime
    updated_at: datetime


class Refresh(StrEnum):
    """What a refresh token is worth at the moment it is shown."""

    ROTATE = "rotate"
    SIBLING = "sibling"
    REUSED = "reused"
    DEAD = "dead"


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token and the sign-in it belongs to, whose tokens are one family."""

    sign_in_id: str
    person_id: str
    expires_at: datetime
    used_at: datetime | None
    family_expires_at: datetime
    family_ended_at: datetime | None

    def shown(self, now: datetime) -> Refresh:
        """A second use within 10 s is a lost answer or a second tab; later it is theft."""
        if self.family_ended_at or now >= min(self.expires_at, self.family_expires_at):
            return Refresh.DEAD
        if self.used_at is None:
            return Refresh.ROTATE
        return Refresh.SIBLING if now - self.used_at <= REUSE_GRACE else Refresh.REUSED


@dataclass(frozen=True)
class AccessToken:
    id: str
    org_id: str
    person_id: str
    name: str
    ending: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Window:
    """Requests counted in the window that runs now."""

    seconds: int
    requests: int
    seconds_left: float


@dataclass(frozen=True)
class Admission:
    """What one look-up says of a credential: whose it is, with which rights, and how often it was used lately."""

    person_id: str
    org_id: str | None
    role: str | None
    plan: str | None
    scopes: list[str]
    token_org_id: str | None
    expired: bool
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class StoredAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class KeyClaim:
    """The row of an idempotency key after we asked for it; `taken` says that the request is ours to run."""

    taken: bool
    fresh: bool
    request_hash: bytes
    new_id: UUID
    answer: StoredAnswer | None


@dataclass
class Channel:
    """A list of live messages; its row numbers them without gaps."""

    name: str
    org_id: str
    last_seq: int
    state: dict[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None


@dataclass(frozen=True)
class ChannelEvent:
    seq: int
    body: dict[str, Any]


@dataclass(frozen=True)
class LibraryAsset:
    """One immutable file of the library; its bytes lie under *(org_id, sha256)*."""

    id: str
    org_id: str
    project_id: str | None
    job_id: str | None
    step_id: str | None
    name: str
    type: str
    kind: str
    source: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_ms: int | None
    lineage: dict[str, Any]
    created_at: datetime
