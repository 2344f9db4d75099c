"""Notifier over a real Postgres, with its workers, as a test puts it together."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text

from fenta.chassis.database import Database
from fenta.chassis.identity import Identity
from fenta.chassis.testing import message_of
from fenta.chassis.workers import Workers
from fenta.contracts.events import Event
from fenta.notifier import handlers
from fenta.notifier.addresses import AddressGuard, networks
from fenta.notifier.deliveries import Deliverer
from fenta.notifier.models import Endpoint
from fenta.notifier.sealing import Keyring
from fenta.notifier.sender import open_sender
from fenta.notifier.service import LANE, NotifierService
from tests.notifier.events import org
from tests.support.work import working

KEYRING = Keyring(f"k1:{base64.b64encode(bytes(range(32))).decode()}")
LOOPBACK = AddressGuard(networks("127.0.0.0/8"))
SHORT = (0.0, 0.02, 0.02)


class Stand:
    """`announce` is a batch from Kafka without its inbox; workers send as soon as `working` is entered."""

    def __init__(self, database: Database, notifier: NotifierService, deliverer: Deliverer) -> None:
        self.database, self.notifier, self.deliverer = database, notifier, deliverer
        self.org_id = org()

    def identity(self, **values: Any) -> Identity:
        fields = {"org_id": self.org_id, "user_id": "user_x", "role": "owner", "plan": "pro", "scopes": ("*",)}
        return Identity(**fields | values)

    async def subscribe(self, url: str, *events: str, **values: Any) -> tuple[Endpoint, str]:
        wanted = {"url": url, "events": list(events or ("*",)), **values}
        endpoint, secret = await self.notifier.create_endpoint(self.identity(), wanted)
        assert secret is not None
        return endpoint, secret

    async def announce(self, *events: Event, event_id: str | None = None) -> None:
        (route,) = handlers.routes(self.notifier)
        assert route.whole is not None
        async with self.database.transaction() as session:
            await route.whole(session, [message_of(event, event_id=event_id) for event in events])

    @asynccontextmanager
    async def working(self, instance_id: str = "0") -> AsyncIterator[Workers]:
        async with working(
            self.database, self.deliverer, service="notifier", slots={LANE: 8}, instance_id=instance_id
        ) as workers:
            self.notifier.queue = workers
            yield workers

    async def rows(self, statement: str) -> Sequence[Any]:
        async with self.database.transaction() as session:
            return (await session.execute(text(statement))).all()

    async def idle(self) -> bool:
        """Whether no task is left."""
        return not await self.rows("SELECT 1 FROM task")


@asynccontextmanager
async def standing(database: Database, *, timeout_seconds: float = 0.5) -> AsyncIterator[Stand]:
    async with open_sender(LOOPBACK, timeout_seconds=timeout_seconds) as sender:
        notifier = NotifierService(database=database, keyring=KEYRING, guard=LOOPBACK)
        deliverer = Deliverer(database=database, keyring=KEYRING, sender=sender, pauses=SHORT)
        yield Stand(database, notifier, deliverer)
