"""Shapes of notifier's questions and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fenta.chassis.http import Body
from fenta.chassis.moments import Moment
from fenta.chassis.paging import PageQuery
from fenta.notifier.addresses import LONGEST_URL
from fenta.notifier.models import DeliveryState, EndpointStatus, Trigger

Url = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]
Patterns = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=64)]], Field(min_length=1, max_length=64)
]
Description = Annotated[str, StringConstraints(max_length=5000)]


class Filters(Body):
    """Which events of the named types are meant; empty means all."""

    project_ids: list[Annotated[str, StringConstraints(max_length=64)]] = Field(default_factory=list, max_length=100)
    metadata: dict[
        Annotated[str, StringConstraints(max_length=40)], Annotated[str, StringConstraints(max_length=500)]
    ] = Field(default_factory=dict, max_length=20)


class EndpointCreate(Body):
    url: Url
    events: Patterns
    description: Description = ""
    filters: Filters = Field(default_factory=Filters)
    status: Literal["enabled", "paused"] = "enabled"

    def values(self) -> dict[str, Any]:
        return self.model_dump()


class EndpointChange(Body):
    """What is left out stays as it is."""

    url: Url = ""
    events: Patterns = Field(default_factory=list)
    description: Description = ""
    filters: Filters = Field(default_factory=Filters)
    status: EndpointStatus = "enabled"

    def values(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class DeliveryQuery(PageQuery):
    status: DeliveryState | None = None
    type: str | None = Field(None, max_length=64)
    since: datetime | None = Field(None, alias="from")
    until: datetime | None = Field(None, alias="to")


class Endpoint(BaseModel):
    """`failing_since` is the first failure that no success has followed."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    org_id: str
    url: str
    description: str
    events: list[str]
    filters: dict[str, Any]
    status: EndpointStatus
    disabled_reason: str | None
    failing_since: Moment | None
    created_by: str
    created_at: Moment
    updated_at: Moment


class NewEndpoint(Endpoint):
    """`secret` is shown here and never again; a repeated request does not get it."""

    secret: str | None = None


class Endpoints(BaseModel):
    data: list[Endpoint]
    next_cursor: str | None


class Attempt(BaseModel):
    """`cause` is null on success: status, redirect, gone, timeout, connect_failed, tls_failed, url_not_allowed, …"""

    model_config = ConfigDict(from_attributes=True)

    number: int
    trigger: Trigger
    url: str
    headers: dict[str, str]
    started_at: Moment
    finished_at: Moment | None
    status: int | None
    cause: str | None
    answer: str
    latency_ms: int | None


class Delivery(BaseModel):
    """`attempts` counts all tries, also those asked for by hand."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    status: DeliveryState
    attempts: int
    next_attempt_at: Moment | None
    created_at: Moment
    updated_at: Moment


class Deliveries(BaseModel):
    data: list[Delivery]
    next_cursor: str | None


class DeliveryDetail(Delivery):
    history: list[Attempt]


class EventType(BaseModel):
    """`data_schema` is the JSON Schema of the body's `data`."""

    model_config = ConfigDict(populate_by_name=True)

    type: str
    description: str
    topics: list[str]
    data_schema: list[dict[str, Any]]


class EventTypes(BaseModel):
    data: list[EventType]
