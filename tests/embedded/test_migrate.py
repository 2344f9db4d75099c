"""Roles, schemas and migrations: who owns what, and that a second run changes nothing."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from fenta.embedded import migrate
from fenta.embedded.postgres import EmbeddedPostgres

PASSWORD = 'it\'s 100% \\ "odd"'
FIRST = '''
"""first"""
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id text NOT NULL)")
def downgrade():
    op.execute("DROP TABLE thing")
'''
SECOND = '''
"""second"""
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("ALTER TABLE thing ADD COLUMN name text")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_thing_name ON thing (name)")
def downgrade():
    op.execute("ALTER TABLE thing DROP COLUMN name")
'''


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    started = EmbeddedPostgres(tmp_path / "postgres", settings=("fsync=off",)).start()
    yield started
    started.stop()


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the migrations of `billing`; no other service has any."""
    folder = tmp_path / "migrations" / "versions"
    folder.mkdir(parents=True)
    (folder / "0001.py").write_text(FIRST)
    place = {"billing": folder.parent}
    monkeypatch.setattr(migrate, "migrations_folder", place.get)
    return folder


def run(server: EmbeddedPostgres) -> None:
    migrate.migrate_all(server.url, dict.fromkeys(migrate.SERVICES, PASSWORD))


async def connect(server: EmbeddedPostgres, user: str) -> Any:
    return await asyncpg.connect(
        host="127.0.0.1", port=server.port, user=user, password=PASSWORD, database="postgres", ssl=False
    )


async def test_a_service_owns_its_tables_and_only_its_own(server: EmbeddedPostgres, versions: Path) -> None:
    run(server)
    billing, gateway = await connect(server, "fenta_billing"), await connect(server, "fenta_gateway")
    assert await billing.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'thing'") == "fenta_billing"
    await billing.execute("INSERT INTO thing (org_id) VALUES ('o')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await gateway.fetch("SELECT * FROM billing.thing")
    await asyncio.gather(billing.close(), gateway.close())


async def test_the_api_role_must_be_asked_for_and_can_then_read_and_write(
    server: EmbeddedPostgres, versions: Path
) -> None:
    run(server)
    billing = await connect(server, "fenta_billing")
    async with billing.transaction():
        await billing.execute("SELECT set_config('role', 'fenta_billing_api', true)")
        await billing.execute("INSERT INTO thing (org_id) VALUES ('o')")
        assert await billing.fetchval("SELECT count(*) FROM thing") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await billing.execute("DROP TABLE thing")
    rights = "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = 'fenta_billing_api'"
    assert tuple(await billing.fetchrow(rights)) == (False, False, False)
    with pytest.raises(asyncpg.PostgresError):
        await connect(server, "fenta_billing_api")
    await billing.close()


async def test_later_versions_are_added_and_a_second_run_changes_nothing(
    server: EmbeddedPostgres, versions: Path
) -> None:
    run(server)
    (versions / "0002.py").write_text(SECOND)
    run(server)
    started = time.monotonic()
    run(server)
    assert time.monotonic() - started < 1.5
    billing = await connect(server, "fenta_billing")
    assert await billing.fetchval("SELECT version_num FROM alembic_version") == "0002"
    assert await billing.fetchval("SELECT count(*) FROM pg_indexes WHERE indexname = 'ix_thing_name'") == 1
    await billing.close()


async def test_two_at_once_wait_for_each_other(server: EmbeddedPostgres, versions: Path) -> None:
    await asyncio.gather(asyncio.to_thread(run, server), asyncio.to_thread(run, server))
    billing = await connect(server, "fenta_billing")
    assert await billing.fetchval("SELECT count(*) FROM alembic_version") == 1
    await billing.close()


async def test_a_failed_version_leaves_the_schema_as_it_was(server: EmbeddedPostgres, versions: Path) -> None:
    run(server)
    (versions / "0002.py").write_text(SECOND.replace("name text", "name nonsense"))
    with pytest.raises(Exception, match="nonsense"):
        run(server)
    (versions / "0002.py").write_text(SECOND)
    run(server)
    billing = await connect(server, "fenta_billing")
    assert await billing.fetchval("SELECT version_num FROM alembic_version") == "0002"
    await billing.close()


async def test_an_administrator_without_superuser_rights_is_enough(server: EmbeddedPostgres, versions: Path) -> None:
    root = await asyncpg.connect(server.url, ssl=False)
    await root.execute("CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'admin'")
    await root.execute("GRANT CREATE ON DATABASE postgres TO admin")
    await root.close()
    url = f"postgresql://admin:admin@127.0.0.1:{server.port}/postgres"
    for _ in range(2):
        migrate.migrate_all(url, dict.fromkeys(migrate.SERVICES, PASSWORD))
    billing = await connect(server, "fenta_billing")
    await billing.execute("INSERT INTO thing (org_id) VALUES ('o')")
    await billing.close()
