"""Rows are seen by their organisation alone, and people's secrets by nobody on the API path."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fenta.chassis.testing import deliver
from fenta.gateway import handlers
from fenta.gateway.sweeping import sweep_for_ever
from tests.conftest import until
from tests.gateway.conftest import World, bearer, make_pat, register
from tests.gateway.events import Story

GUARDED = ("organisation", "member", "access_token", "idempotency_key", "channel", "channel_event", "asset")


async def test_the_api_path_sees_its_own_organisation_only(world: World) -> None:
    async with world.gateway() as gateway, world.client() as client:
        tokens = await register(client)
        headers = bearer(tokens["access_token"]) | {"idempotency-key": "k"}
        await make_pat(client, headers, "read")
        org_id = tokens["user"]["organisations"][0]["id"]
        story = Story(org_id)
        await deliver(world.database, handlers.routes(gateway.channels, gateway.assets), story.generated("a"))
    for asking, least in ((org_id, 1), ("org_other", 0), ("", 0)):
        async with world.database.api_transaction(asking) as session:
            for table in GUARDED:
                count = await session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
                assert (count >= 1) == bool(least), table


@pytest.mark.parametrize("table", ["person", "sign_in", "refresh_token", "sign_in_failure", "rate_window", "inbox"])
async def test_the_api_path_has_no_business_with_what_has_no_organisation(world: World, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with world.database.api_transaction("org_1") as session:
            await session.execute(text(f"SELECT * FROM {table}"))  # noqa: S608


async def test_every_table_with_an_organisation_is_guarded(world: World) -> None:
    statement = text(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'gateway'::regnamespace AND NOT c.relrowsecurity"
    )
    async with world.database.transaction() as session:
        assert (await session.execute(statement)).scalars().all() == []


async def test_a_sweep_forgets_what_is_over_and_nothing_else(world: World) -> None:
    async with world.gateway() as gateway, world.client() as client:
        await register(client)
        old, new = Story("org_1"), Story("org_1")
        routes = handlers.routes(gateway.channels, gateway.assets)
        await deliver(world.database, routes, old.failed(), new.failed())
        async with world.database.transaction() as session:
            await session.execute(
                text(
                    "UPDATE channel SET ended_at = now() - make_interval(days => CASE name WHEN :old THEN 8 ELSE 6 END)"
                ),
                {"old": f"job:{old.job_id}"},
            )

        async def names() -> list[str]:
            async with world.database.transaction() as session:
                return list((await session.execute(text("SELECT name FROM channel"))).scalars())

        task = asyncio.create_task(sweep_for_ever(world.database))

        async def swept() -> bool:
            return len(await names()) < 2

        await until(swept)
        task.cancel()
        assert await names() == [f"job:{new.job_id}"]
        async with world.database.transaction() as session:
            assert await session.scalar(text("SELECT count(*) FROM sign_in")) == 1
