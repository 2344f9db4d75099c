"""Roles, schemas and migrations of all services, by one process over one connection."""

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fenta.contracts.topics import SERVICES

from .postgres import PostgresUnavailable

POSTGRES_PORT = 5432
# Two processes that migrate at once wait for each other under this number.
ADVISORY_LOCK = 0x66656E7461


def migrate_all(admin_url: str, passwords: Mapping[str, str], services: Sequence[str] = SERVICES) -> None:
    """Brings every service's schema to its newest state; what is there already stays as it is.

    `admin_url` (`postgresql://…`) may create roles and schemas. `passwords` holds one per service, for the role
    `fenta_<service>` under which it connects. Raises PostgresUnavailable when nobody is let in.
    """
    _run(_migrate(admin_url.replace("postgresql://", "postgresql+asyncpg://", 1), passwords, services))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own, since the caller may be inside a running event loop."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name="migrate")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _migrate(url: str, passwords: Mapping[str, str], services: Sequence[str]) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with _connected(engine) as connection:
            await connection.run_sync(_migrate_services, passwords, services)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        connection = await engine.connect()
    except Exception as error:  # the network's, the driver's or the server's, under many names
        place = f"{engine.url.host}:{engine.url.port or POSTGRES_PORT}"
        raise PostgresUnavailable(f"The PostgreSQL of DATABASE_URL, {place}, lets nobody in: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


def _migrate_services(connection: Connection, passwords: Mapping[str, str], services: Sequence[str]) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": ADVISORY_LOCK})
    connection.commit()
    try:
        for service in services:
            _prepare(connection, service, passwords[service])
            _upgrade(connection, service)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": ADVISORY_LOCK})
        connection.commit()


# The owner has its tables; the api role sees rows only through row-level security, and its owner must ask for it by
# SET ROLE, so that no statement is run as both. The names below are our own, never input; the password is bound.
_PREPARATIONS = (
    "GRANT {role}_api TO {role} WITH INHERIT FALSE, SET TRUE",
    "CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {role}",
    "ALTER ROLE {role} SET search_path = {service}",
    "GRANT USAGE ON SCHEMA {service} TO {role}_api",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {service}"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}_api",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {service} GRANT USAGE ON SEQUENCES TO {role}_api",
)


def _prepare(connection: Connection, service: str, password: str) -> None:
    """Roles, schema, privileges: the same after any number of runs."""
    role = f"fenta_{service}"
    for name, kind in ((role, "LOGIN"), (f"{role}_api", "NOLOGIN")):
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}):
            connection.exec_driver_sql(f"CREATE ROLE {name} {kind}")
    _set_password(connection, role, password)
    if not connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        # An administrator who is no superuser may act for the roles it made, once it says so.
        connection.exec_driver_sql(f"GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
    for statement in _PREPARATIONS:
        connection.exec_driver_sql(statement.format(role=role, service=service))
    connection.commit()


def _set_password(connection: Connection, role: str, password: str) -> None:
    """ALTER ROLE takes no parameters, so the server quotes the password for us."""
    statement = connection.scalar(
        text("SELECT format('ALTER ROLE %I PASSWORD %L', CAST(:role AS text), CAST(:password AS text))"),
        {"role": role, "password": password},
    )
    connection.exec_driver_sql(str(statement))


def migrations_folder(service: str) -> Path | None:
    """`services/<service>/migrations`, beside the service's `src`; None while it has none."""
    spec = importlib.util.find_spec(f"fenta.{service}")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parents[3] / "migrations"
    return folder if (folder / "versions").is_dir() else None


def _upgrade(connection: Connection, service: str) -> None:
    """Runs as the service's role, so that what is created belongs to it."""
    folder = migrations_folder(service)
    if folder is None:
        return
    connection.exec_driver_sql(f"SET ROLE fenta_{service}")
    connection.exec_driver_sql(f"SET search_path = {service}")
    connection.commit()
    try:
        _run_versions(connection, folder, service)
    finally:
        connection.rollback()
        connection.exec_driver_sql("RESET ROLE")
        connection.exec_driver_sql("RESET search_path")
        connection.commit()


def _run_versions(connection: Connection, folder: Path, service: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(folder / "versions").replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def revisions(current: Any, context: Any) -> Any:
        return script._upgrade_revs("head", current)

    with EnvironmentContext(config, script, fn=revisions, destination_rev="head") as environment:
        environment.configure(connection=connection, version_table_schema=service, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
    connection.commit()
