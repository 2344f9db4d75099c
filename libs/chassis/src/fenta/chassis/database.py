"""One engine per service, short transactions, and an API path that row-level security watches."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import asyncpg
from pydantic_core import from_json
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.types import DateTime

from fenta.chassis.connections import Connections
from fenta.chassis.crash import crash_point
from fenta.chassis.outbox import Bundle, OutboxRow, insert_outbox, outbox_row
from fenta.chassis.transactions import Transaction
from fenta.contracts.events import Event

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


# What a statement may raise, whether it was the driver's or SQLAlchemy's.
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
# Lost connections, too many of them, shutdown and start of the server, and those whom it ends for their silence.
AWAY_SQLSTATES = ("08", "53", "57P", "25006", "25P03")
# Transactions that got in each other's way.
COLLISION_SQLSTATES = ("40001", "40P01")

SERVER_SETTINGS = {
    "statement_timeout": "15000",
    # Who stands still amid a transaction, or is on a machine that is gone, keeps its locks no longer than that.
    "idle_in_transaction_session_timeout": "60000",
    # A queue that was empty when a statement was planned is full a moment later: reading all of it for each of a
    # thousand ids took a second. Every such statement has an index.
    "enable_seqscan": "off",
}

_FOR_ORGANISATION = "SELECT set_config('role', $1, true), set_config('fenta.org_id', $2, true)"


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may well succeed later: the server is away, or two transactions collided."""
    return is_away(error) or _sqlstate(error).startswith(COLLISION_SQLSTATES)


def is_away(error: BaseException) -> bool:
    """Whether the server cannot be reached now, or sends us away."""
    if isinstance(error, (ConnectionError, TimeoutError, PoolTimeout)):
        return True
    if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):
        return True
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or _sqlstate(error).startswith(AWAY_SQLSTATES)


def _sqlstate(error: BaseException) -> str:
    """What happens while connecting reaches us in the driver's own words, the rest in SQLAlchemy's."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", None) or ""


class Base(DeclarativeBase):
    """Tables of a service. Times are aware, dicts and lists are JSONB."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        dict[str, int]: JSONB,
        dict[str, str]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: JSONB,
    }


class _Joined(OrmSession):
    """What SQLAlchemy does in a session is done in its transaction."""

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        transaction: Transaction = self.info["transaction"]
        return transaction.join()


class Session(AsyncSession):
    """A transaction that also collects the events it tells of.

    What SQLAlchemy keeps of it is made where somebody asks for that: most transactions of a quiet step do not, and
    `AsyncSession.__init__` would take as long as one of their statements.
    """

    def __init__(self, connections: Connections, *, service: str) -> None:
        self._async_bind = None
        self._async_binds = {}
        self._transaction = Transaction(connections)
        self.service = service
        self.events: list[OutboxRow] = []
        self.bundles: Sequence[Bundle] = ()
        self.committed: list[Callable[[], None]] = []
        self.rolled_back: list[Callable[[], None]] = []

    @cached_property
    def sync_session(self) -> OrmSession:  # type: ignore[override]
        """SQLAlchemy's part."""
        made = _Joined(expire_on_commit=False, info={"transaction": self._transaction})
        return self._assign_proxied(made)

    @property
    def _proxied(self) -> OrmSession:  # type: ignore[override]
        return self.sync_session

    @property
    def _shared(self) -> bool:
        return "sync_session" in self.__dict__

    async def begin_with(self, statement: str) -> str:
        """Begin with this statement, in one trip to Postgres; answers its status, such as `INSERT 0 2`.

        Raises RuntimeError where there was another statement before.
        """
        return await self._transaction.begin_with(statement)

    async def driver(self) -> Any:
        """The connection of asyncpg, in this transaction; for statements that every event runs.

        What SQLAlchemy has not written yet is written first, as it is before its own statements.
        """
        if self._shared:
            await self.flush()
        return await self._transaction.driver()

    async def commit(self) -> None:
        """All of it, and its events with it."""
        if self._shared:
            await self.flush()
        if self.events:
            # Nothing but events: one statement, which needs no transaction around it.
            self.bundles = await insert_outbox(await self._transaction.connection(), self.events)
            if self._transaction.begun:
                crash_point("outbox.written")
        await self._transaction.commit()

    async def close(self) -> None:
        """Take back what was not committed, and give the connection back."""
        try:
            if self._shared:
                await super().close()
        finally:
            await self._transaction.close()

    def publish(self, event: Event, *, causation_id: str | None = None) -> str:
        """Tell of this once the transaction has committed; answers the event's id.

        Order per key holds only for transactions that lock the thing the key names before they publish.
        """
        row = outbox_row(event, source=self.service, causation_id=causation_id)
        self.events.append(row)
        return row.event_id

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction has committed; never before, and not at all when it rolls back."""
        self.committed.append(callback)

    def after_rollback(self, callback: Callable[[], None]) -> None:
        """Call this if the transaction does not commit, as far as we know."""
        self.rolled_back.append(callback)


class Database:
    """The database of one service, which owns the schema of the same name."""

    def __init__(self, engine: AsyncEngine, *, service: str) -> None:
        self.engine = engine
        self._connections = Connections(engine)
        self.service = service
        self._api_role = f"fenta_{service}_api"
        self._on_publish: list[Callable[[Sequence[Bundle]], None]] = []

    async def close(self) -> None:
        """Disconnect."""
        await self._connections.close()

    def on_publish(self, callback: Callable[[Sequence[Bundle]], None]) -> None:
        """Whom to tell when events were committed, and as which rows."""
        self._on_publish.append(callback)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """One short transaction as the service itself: consumers, workers, use cases. Commits at the end."""
        async with Session(self._connections, service=self.service) as session:
            try:
                yield session
                await session.commit()
            except BaseException:
                for callback in session.rolled_back:
                    callback()
                raise
            if session.events:
                crash_point("outbox.committed")
            for callback in session.committed:
                callback()
            if session.events:
                for told in self._on_publish:
                    told(session.bundles)

    @asynccontextmanager
    async def api_transaction(self, org_id: str) -> AsyncIterator[Session]:
        """One short transaction for a request: sees and writes only rows of this organisation."""
        async with self.transaction() as session:
            driver = await session.driver()
            await driver.execute(_FOR_ORGANISATION, self._api_role, org_id)
            yield session


@asynccontextmanager
async def open_database(url: str, *, service: str, pool_size: int = 5) -> AsyncIterator[Database]:
    """Connect with the service's own role; its search path is its schema."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_use_lifo=True,
        json_deserializer=from_json,
        connect_args={"timeout": 10, "server_settings": {"application_name": service, **SERVER_SETTINGS}},
    )
    database = Database(engine, service=service)
    try:
        yield database
    finally:
        await database.close()
