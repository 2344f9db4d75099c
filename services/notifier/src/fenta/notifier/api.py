"""The routes notifier serves."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from fenta.chassis import paging
from fenta.chassis.http import StrictRoute, caller
from fenta.chassis.identity import Identity
from fenta.notifier import schemas
from fenta.notifier.deliveries import Deliverer
from fenta.notifier.event_types import EVENT_TYPES
from fenta.notifier.models import Attempt, Delivery, StoredEvent
from fenta.notifier.service import NotifierService

Reader = Annotated[Identity, caller("webhooks:read", "editor")]
Writer = Annotated[Identity, caller("webhooks:write", "admin")]


def router(notifier: NotifierService, deliverer: Deliverer) -> APIRouter:
    routes = APIRouter(route_class=StrictRoute, prefix="/v1/webhooks")
    _add_event_types(routes)
    _add_deliveries(routes, notifier)
    _add_endpoints(routes, notifier)
    _add_endpoint(routes, notifier)
    _add_test(routes, deliverer)
    return routes


def _add_event_types(routes: APIRouter) -> None:
    @routes.get("/event-types", summary="What a webhook can be told of")
    async def event_types(identity: Reader) -> schemas.EventTypes:
        return schemas.EventTypes(data=[_event_type(name) for name in EVENT_TYPES])


def _event_type(name: str) -> schemas.EventType:
    kind = EVENT_TYPES[name]
    return schemas.EventType(
        type=name,
        description=kind.description,
        topics=[source.topic for source in kind.sources],
        data_schema=[source.model_json_schema(by_alias=True) for source in kind.sources],
    )


def _add_endpoints(routes: APIRouter, notifier: NotifierService) -> None:
    @routes.get("", summary="The webhooks of the organisation, newest first")
    async def list_endpoints(identity: Reader, query: Annotated[paging.PageQuery, Query()]) -> schemas.Endpoints:
        filters = {"org_id": identity.org_id, "list": "endpoints"}
        before = paging.behind(query.cursor, filters, paging.number)
        found = await notifier.list_endpoints(identity.org_id, before=before, most=query.limit + 1)
        page, cursor = paging.cut(found, query.limit, filters, lambda one: one.number)
        return schemas.Endpoints(data=[schemas.Endpoint.model_validate(one) for one in page], next_cursor=cursor)

    @routes.post("", status_code=201, summary="Tell this URL of these events")
    async def create_endpoint(identity: Writer, body: schemas.EndpointCreate) -> schemas.NewEndpoint:
        endpoint, secret = await notifier.create_endpoint(identity, body.values())
        return schemas.NewEndpoint.model_validate(endpoint).model_copy(update={"secret": secret})


def _add_endpoint(routes: APIRouter, notifier: NotifierService) -> None:
    @routes.get("/{endpoint_id}", summary="One webhook")
    async def get_endpoint(identity: Reader, endpoint_id: str) -> schemas.Endpoint:
        return schemas.Endpoint.model_validate(await notifier.get_endpoint(identity.org_id, endpoint_id))

    @routes.patch("/{endpoint_id}", summary="Change what is named")
    async def change_endpoint(identity: Writer, endpoint_id: str, body: schemas.EndpointChange) -> schemas.Endpoint:
        changed = await notifier.change_endpoint(identity.org_id, endpoint_id, body.values())
        return schemas.Endpoint.model_validate(changed)

    @routes.delete("/{endpoint_id}", status_code=204, summary="Send nothing there any more")
    async def delete_endpoint(identity: Writer, endpoint_id: str) -> Response:
        await notifier.delete_endpoint(identity.org_id, endpoint_id)
        return Response(status_code=204)


def _add_test(routes: APIRouter, deliverer: Deliverer) -> None:
    @routes.post("/{endpoint_id}/test", summary="Send webhook.test now, and see what comes back")
    async def test_endpoint(identity: Writer, endpoint_id: str) -> schemas.Attempt:
        return schemas.Attempt.model_validate(await deliverer.send_test(identity, endpoint_id))


def _add_deliveries(routes: APIRouter, notifier: NotifierService) -> None:
    @routes.get("/{endpoint_id}/deliveries", summary="What was sent to a webhook, newest first")
    async def list_deliveries(
        identity: Reader, endpoint_id: str, query: Annotated[schemas.DeliveryQuery, Query()]
    ) -> schemas.Deliveries:
        wanted = {"state": query.status, "type": query.type, "since": query.since, "until": query.until}
        filters = {name: str(value) for name, value in wanted.items()} | {"endpoint_id": endpoint_id}
        before = paging.behind(query.cursor, filters, paging.number)
        found = await notifier.list_deliveries(
            identity.org_id, endpoint_id, before=before, most=query.limit + 1, **wanted
        )
        page, cursor = paging.cut(found, query.limit, filters, lambda one: one.number)
        return schemas.Deliveries(data=[schemas.Delivery(**_row(one)) for one in page], next_cursor=cursor)

    @routes.get("/deliveries/{delivery_id}", summary="One delivery with all its attempts")
    async def get_delivery(identity: Reader, delivery_id: str) -> schemas.DeliveryDetail:
        return _detail(*await notifier.get_delivery(identity.org_id, delivery_id))

    @routes.post("/deliveries/{delivery_id}/redeliver", status_code=202, summary="Send it once more, soon")
    async def redeliver(identity: Writer, delivery_id: str) -> schemas.DeliveryDetail:
        return _detail(*await notifier.redeliver(identity, delivery_id))


def _row(row: Any) -> dict[str, Any]:
    fields = dict(row._mapping)
    return fields | {"status": fields.pop("state")}


def _detail(delivery: Delivery, event: StoredEvent, attempts: Sequence[Attempt]) -> schemas.DeliveryDetail:
    return schemas.DeliveryDetail(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        type=event.type,
        status=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at,
        created_at=delivery.created_at,
        updated_at=delivery.updated_at,
        history=[schemas.Attempt.model_validate(attempt) for attempt in attempts],
    )
