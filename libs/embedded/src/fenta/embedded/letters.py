"""Dead letters of all services: found, read, and sent again through the outbox of the service that set them aside."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fenta.chassis.database import Database, Session, open_database
from fenta.chassis.dead_letters import ALL, DeadLetters, LetterRefused, Wanted
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


async def list_letters(urls: Mapping[str, str], limit: int, wanted: Wanted = ALL) -> list[dict[str, Any]]:
    """The newest first, each with the `service` that set it aside."""
    found = await asyncio.gather(*(_list(service, url, limit, wanted) for service, url in urls.items()))
    letters = [letter for letters in found for letter in letters]
    return sorted(letters, key=lambda letter: letter["created_at"], reverse=True)[:limit]


async def _list(service: str, url: str, limit: int, wanted: Wanted) -> list[dict[str, Any]]:
    async with _letters(service, url) as (database, letters), database.transaction() as session:
        return [{**letter, "service": service} for letter in await letters.list(session, limit, wanted)]


async def find_letter(urls: Mapping[str, str], letter_id: UUID) -> dict[str, Any] | None:
    """The whole letter with its `service`, wherever it is; None if nowhere."""
    for service, url in urls.items():
        async with _letters(service, url) as (database, letters), database.transaction() as session:
            if letter := await letters.get(session, str(letter_id)):
                return {**letter, "service": service}
    return None


async def replay_letters(urls: Mapping[str, str], ids: Sequence[UUID], *, again: bool = False) -> dict[UUID, str]:
    """Sends these again, each in a transaction of its own; answers those that were refused, and why."""

    async def replay(letters: DeadLetters, session: Session, letter_id: str) -> None:
        await letters.replay(session, letter_id, again=again)

    return await _treat(urls, ids, replay)


async def drop_letters(urls: Mapping[str, str], ids: Sequence[UUID], note: str) -> dict[UUID, str]:
    """Lets go of these; answers those that were refused, and why."""

    async def drop(letters: DeadLetters, session: Session, letter_id: str) -> None:
        await letters.drop(session, letter_id, note)

    return await _treat(urls, ids, drop)


Treatment = Callable[[DeadLetters, Session, str], Awaitable[None]]


async def _treat(urls: Mapping[str, str], ids: Sequence[UUID], treatment: Treatment) -> dict[UUID, str]:
    refused = dict.fromkeys(ids, "does not exist")
    for service, url in urls.items():
        async with _letters(service, url) as (database, letters):
            for letter_id in list(dict.fromkeys(ids)):
                async with database.transaction() as session:
                    if await letters.get(session, str(letter_id)) is not None:
                        refused[letter_id] = await _refusal(treatment(letters, session, str(letter_id)))
    return {letter_id: reason for letter_id, reason in refused.items() if reason}


async def _refusal(treatment: Awaitable[None]) -> str:
    """Why it was refused; nothing if it was not."""
    try:
        await treatment
    except LetterRefused as refusal:
        return str(refusal)
    return ""


@asynccontextmanager
async def _letters(service: str, url: str) -> AsyncIterator[tuple[Database, DeadLetters]]:
    async with open_database(url, service=service, pool_size=1) as database:
        yield database, DeadLetters(service)
