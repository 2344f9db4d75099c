"""Server-sent events of one channel: what was missed, then what comes, until the end."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from fenta.chassis.database import Database
from fenta.chassis.moments import written
from fenta.chassis.storage import Storage
from fenta.gateway import metrics
from fenta.gateway.live.hub import Hub, Listener
from fenta.gateway.live.messages import FINAL, LINKS, Body
from fenta.gateway.models import Channel, ChannelEvent
from fenta.gateway.repository import channels

PAGE_ROWS = 200
LINK_SECONDS = 3600
FIRST = ("type", "channel", "seq", "time", "job_id")
COMMENT = b": still here\n\n"


class Streams:
    """Reads channels for one organisation at a time."""

    def __init__(self, *, database: Database, storage: Storage, hub: Hub, comment_seconds: float) -> None:
        self._database = database
        self._storage = storage
        self._hub = hub
        self._comment_seconds = comment_seconds

    async def find(self, org_id: str, name: str) -> Channel | None:
        async with self._database.api_transaction(org_id) as session:
            return await channels.find_channel(session, name)

    async def page(self, org_id: str, name: str, *, after: int, rows: int = PAGE_ROWS) -> list[Body]:
        """Messages behind `after`, with links that work from now on."""
        async with self._database.api_transaction(org_id) as session:
            events = await channels.read_events(session, name, after=after, rows=rows)
        return [self._shown(org_id, event) for event in events]

    async def follow(self, org_id: str, name: str, *, after: int) -> AsyncIterator[bytes]:
        """Frames of the stream; ends after the final message."""
        metrics.open_streams.inc()
        try:
            with self._hub.listen(name) as listener:
                async for frame in self._frames(listener, org_id, name, after):
                    yield frame
        finally:
            metrics.open_streams.dec()

    async def _frames(self, listener: Listener, org_id: str, name: str, after: int) -> AsyncIterator[bytes]:
        yield COMMENT
        while True:
            messages = await self.page(org_id, name, after=after)
            for message in messages:
                after = message["seq"]
                yield frame(message)
                if message["type"] in FINAL:
                    return
            if len(messages) < PAGE_ROWS and not await listener.wait(self._comment_seconds):
                yield COMMENT

    def _shown(self, org_id: str, event: ChannelEvent) -> Body:
        body = dict(event.body)
        links = {name: sha256 for name, sha256 in body.pop(LINKS, {}).items() if sha256}
        if links:
            until = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
            body["url_expires_at"] = written(until)
        signed = {name: self._storage.link(org_id, sha256, seconds=LINK_SECONDS) for name, sha256 in links.items()}
        # The database keeps JSON in an order of its own; people read what it is first.
        return {name: body[name] for name in FIRST} | body | signed


def frame(message: Body) -> bytes:
    """One event of the stream: its number, its type, its JSON on one line."""
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return f"id: {message['seq']}\nevent: {message['type']}\ndata: {data}\n\n".encode()
