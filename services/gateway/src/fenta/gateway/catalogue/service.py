"""Asks the owners what they serve and how they are; keeps what they said last for when they are away."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fenta.chassis.errors import Problem
from fenta.chassis.moments import written
from fenta.chassis.telemetry import log
from fenta.gateway.catalogue.merging import Document, merge
from fenta.gateway.forwarding.owners import Owners

TITLE = "Fenta"
DESCRIPTION_SECONDS = 60.0
STATUS_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
WORDS = {"ok": "operational", "degraded": "degraded", "down": "down"}


class Catalogue:
    def __init__(self, owners: Owners, *, own: Callable[[], Document], version: str, api_url: str) -> None:
        self._owners = owners
        self._own = own
        self._version = version
        self._api_url = api_url
        self._documents: dict[str, Document] = {}
        self._asked_at = -DESCRIPTION_SECONDS
        self._states: dict[str, dict[str, str]] = {}
        self._looked_at = -STATUS_SECONDS
        self._asking = asyncio.Lock()

    async def openapi(self) -> Document:
        """One document of all services; one that is away is described as it was when last seen."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= DESCRIPTION_SECONDS:
                whole = await asyncio.gather(*map(self._ask_description, self._owners.urls))
                # With an owner missing we ask again soon.
                self._asked_at = time.monotonic() - (0 if all(whole) else DESCRIPTION_SECONDS - STATUS_SECONDS)
        documents = {"gateway": self._own()} | {
            name: self._documents[name] for name in self._owners.urls if name in self._documents
        }
        return described(documents, version=self._version, api_url=self._api_url)

    async def status(self) -> dict[str, Any]:
        """Each service: operational, degraded or down, and since when."""
        async with self._asking:
            if time.monotonic() - self._looked_at >= STATUS_SECONDS:
                found = await asyncio.gather(*map(self._ask_state, self._owners.urls))
                for name, state in zip(self._owners.urls, found, strict=True):
                    self._note(name, state)
                self._looked_at = time.monotonic()
        self._note("gateway", "operational")
        states = {state["status"] for state in self._states.values()}
        overall = "operational" if states == {"operational"} else "degraded"
        return {"status": overall, "services": dict(sorted(self._states.items()))}

    async def _ask_description(self, owner: str) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._owners.ask(owner, "GET", "/openapi.json")
            if answer.status != 200:
                return False
            self._documents[owner] = answer.json()
        except (Problem, TimeoutError, ValueError) as error:
            log.info("description.missing", owner=owner, error=str(error))
            return False
        return True

    async def _ask_state(self, owner: str) -> str:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._owners.ask(owner, "GET", "/readyz")
            return WORDS.get(answer.json().get("status", "down"), "down")
        except (Problem, TimeoutError, ValueError, AttributeError):
            return "down"

    def _note(self, service: str, status: str) -> None:
        if self._states.get(service, {}).get("status") != status:
            self._states[service] = {"status": status, "since": written(datetime.now(UTC))}


def described(documents: Mapping[str, Document], *, version: str, api_url: str) -> Document:
    """What the whole system says of itself; the gateway's own document comes first."""
    return merge(documents, title=TITLE, version=version, servers=[api_url.removesuffix("/v1")])
