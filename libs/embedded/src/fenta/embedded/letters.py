"""Dead letters of all services: found, read, and sent again through the outbox of the service that set them aside."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fenta.chassis.database import Database, open_database
from fenta.chassis.dead_letters import DeadLetters
from fenta.contracts.topics import SERVICES

from .environment import Addresses, Environments
from .home import Home
from .processes import HOST
from .supervisor import POSTGRES, running_supervisor

ROLE_PREFIX = "fenta_"


class NoDatabase(Exception):
    """There is nowhere to look; the message says what to do."""


def database_urls(home: Home, given: str | None, service: str | None) -> dict[str, str]:
    """The address of each service's database, as its own role.

    `given` may be a service's own address, which then is the only one, or the administrator's, to which this stack's
    passwords are added. Without it the embedded PostgreSQL must be running. Raises NoDatabase.
    """
    user = urlsplit(given).username or "" if given else ""
    if given and user.removeprefix(ROLE_PREFIX) in SERVICES:
        return {user.removeprefix(ROLE_PREFIX): given}
    if given is None and running_supervisor(home) is None:
        raise NoDatabase(f"No stack runs in {home.path}. Start one with `fenta up`, or set DATABASE_URL.")
    admin_url = given or f"postgresql://postgres@{HOST}:{home.kept_ports()[POSTGRES]}/postgres"
    environments = Environments(home, {}, Addresses(admin_url, "", ""), os.environ)
    return {name: environments.database_url(name) for name in ([service] if service else SERVICES)}


async def list_letters(urls: Mapping[str, str], limit: int) -> list[dict[str, Any]]:
    """The newest first, each with the `service` that set it aside."""
    found = await asyncio.gather(*(_list(service, url, limit) for service, url in urls.items()))
    letters = [letter for letters in found for letter in letters]
    return sorted(letters, key=lambda letter: letter["created_at"], reverse=True)[:limit]


async def _list(service: str, url: str, limit: int) -> list[dict[str, Any]]:
    async with _letters(service, url) as (database, letters), database.transaction() as session:
        return [{**letter, "service": service} for letter in await letters.list(session, limit)]


async def find_letter(urls: Mapping[str, str], letter_id: UUID) -> dict[str, Any] | None:
    """The whole letter with its `service`, wherever it is; None if nowhere."""
    for service, url in urls.items():
        async with _letters(service, url) as (database, letters), database.transaction() as session:
            if letter := await letters.get(session, str(letter_id)):
                return {**letter, "service": service}
    return None


async def replay_letters(urls: Mapping[str, str], ids: Sequence[UUID]) -> set[UUID]:
    """Sends these again, each in a transaction of its own; answers which were found."""
    replayed: set[UUID] = set()
    for service, url in urls.items():
        async with _letters(service, url) as (database, letters):
            for letter_id in ids:
                async with database.transaction() as session:
                    replayed |= {letter_id} if await letters.replay(session, str(letter_id)) else set()
    return replayed


@asynccontextmanager
async def _letters(service: str, url: str) -> AsyncIterator[tuple[Database, DeadLetters]]:
    async with open_database(url, service=service, pool_size=1) as database:
        yield database, DeadLetters(service)
