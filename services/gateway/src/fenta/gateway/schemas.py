"""The shapes of what the gateway itself takes and answers."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from fenta.chassis.http import Body
from fenta.chassis.moments import Moment
from fenta.gateway.accounts.service import SignedIn, normal_email
from fenta.gateway.models import AccessToken, LibraryAsset, Organisation, Person

_EMAIL = re.compile(r"^[^\s@\x00-\x1f]{1,64}@[^\s@.]+(\.[^\s@.]+)+$")


def _email(text: str) -> str:
    address = normal_email(text)
    if not _EMAIL.match(address) or len(address) > 254:
        raise ValueError("this is not an e-mail address")
    return address


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a name is one line of printable characters")
    return text


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError("a time names its zone, such as 2027-01-01T00:00:00Z")
    return moment


def _parsed(value: Any) -> Any:
    """Bodies are strict, and JSON has no times but texts."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Email = Annotated[str, AfterValidator(_email)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1000)]
Token = Annotated[str, StringConstraints(max_length=200)]


class RegisterBody(Body):
    email: Email
    password: Password
    name: Name
    org_name: Name | None = None
    delivery: Literal["body"] | None = None


class LoginBody(Body):
    email: Annotated[str, StringConstraints(max_length=254), AfterValidator(normal_email)]
    password: Password
    delivery: Literal["body"] | None = None


class RefreshBody(Body):
    refresh_token: Token
    delivery: Literal["body"] | None = None


class LogoutBody(Body):
    refresh_token: Token | None = None


class AccessTokenBody(Body):
    name: Name
    scopes: Annotated[list[str], Field(min_length=1, max_length=50)]
    expires_at: Annotated[datetime | None, BeforeValidator(_parsed), AfterValidator(_aware)] = None


class OrganisationView(BaseModel):
    id: str
    name: str
    slug: str
    plan: str
    role: str
    member_count: int
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, organisation: Organisation) -> "OrganisationView":
        return cls(id=organisation.org_id, **{k: v for k, v in vars(organisation).items() if k != "org_id"})


class UserView(BaseModel):
    id: str
    email: str
    name: str
    organisations: list[OrganisationView]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, person: Person, organisations: Any) -> "UserView":
        return cls(
            id=person.id,
            email=person.email,
            name=person.name,
            organisations=[OrganisationView.of(each) for each in organisations],
            created_at=person.created_at,
            updated_at=person.updated_at,
        )


class TokensView(BaseModel):
    """`refresh_token` works once; keep the newest."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    user: UserView

    @classmethod
    def of(cls, signed_in: SignedIn, *, expires_in: int) -> "TokensView":
        return cls(
            access_token=signed_in.access_token,
            refresh_token=signed_in.refresh_token,
            token_type="Bearer",  # noqa: S106  a word of RFC 6750, no secret
            expires_in=expires_in,
            user=UserView.of(signed_in.person, signed_in.organisations),
        )


class AccessTokenView(BaseModel):
    id: str
    org_id: str
    name: str
    ending: str
    scopes: list[str]
    expires_at: Moment | None
    last_used_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, token: AccessToken) -> "AccessTokenView":
        return cls.model_validate(vars(token))


class NewAccessTokenView(AccessTokenView):
    """`token` is shown this once."""

    token: str


class Page(BaseModel):
    next_cursor: str | None = None


class AccessTokenList(Page):
    data: list[AccessTokenView]


class OrganisationList(Page):
    data: list[OrganisationView]


class AssetView(BaseModel):
    id: str
    org_id: str
    project_id: str | None
    job_id: str | None
    step_id: str | None
    name: str
    type: str
    kind: str
    status: Literal["ready"] = "ready"
    source: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_seconds: float | None
    licence: str | None
    url: str
    url_expires_at: Moment
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, asset: LibraryAsset, *, url: str, until: datetime) -> "AssetView":
        seconds = None if asset.duration_ms is None else asset.duration_ms / 1000
        derived = {
            "duration_seconds": seconds,
            "licence": asset.lineage.get("licence"),
            "url": url,
            "url_expires_at": until,
            "updated_at": asset.created_at,
        }
        return cls.model_validate(vars(asset) | derived)


class AssetList(Page):
    data: list[AssetView]


class LinkView(BaseModel):
    url: str
    expires_at: Moment


class EventList(Page):
    data: list[dict[str, Any]]


class Money(BaseModel):
    amount_micros: int
    currency: str


class CostBounds(BaseModel):
    low: Money
    high: Money


class UnitLine(BaseModel):
    """`included_left` is null where the plan sets no limit; `overage` is what the upper bound takes beyond it."""

    unit: str
    low: int
    high: int
    included_left: int | None
    overage: int | None


class Shortage(BaseModel):
    unit: str
    missing: int


class Quota(BaseModel):
    ok: bool
    code: str | None
    short: list[Shortage]


class EstimateView(BaseModel):
    """What a job would take and cost at least and at most."""

    valid: bool
    problems: list[dict[str, Any]]
    cost: CostBounds
    units: list[UnitLine]
    nodes: list[dict[str, Any]]
    duration_seconds: dict[str, float] | None
    notes: list[str]
    quota: Quota
