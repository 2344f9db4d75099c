"""Connections to Postgres: SQLAlchemy's pool, with the one used last at hand, and none trusted after a rest."""

import time
from collections.abc import MutableMapping
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

RESTED_SECONDS = 1.0
# Where a connection's notes say when it began to rest.
_USED = "used"


class Connections:
    """Those of an engine's pool, in autocommit while they are taken: BEGIN and COMMIT are said by whoever wants them.

    The one given back last stays at hand: the way through the pool takes a good part of the time of a statement, and
    of several backends the one that worked last is the quickest.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._at_hand: PoolProxiedConnection | None = None
        self._closed = False
        _ask_after_rest(engine)

    async def take(self) -> PoolProxiedConnection:
        """One for us alone, until `give_back`."""
        pooled, self._at_hand = self._at_hand, None
        if pooled and not is_closed(pooled) and not _has_rested(pooled.info):
            return pooled
        if pooled:
            await self._return(pooled)
        pooled = await self.engine.raw_connection()
        self.engine.dialect.set_isolation_level(_dbapi(pooled), "AUTOCOMMIT")
        return pooled

    async def give_back(self, pooled: PoolProxiedConnection) -> None:
        """What it was taken for is over; a closed one is forgotten, and any once we have closed."""
        pooled.info[_USED] = time.monotonic()
        if self._at_hand or self._closed or is_closed(pooled):
            await self._return(pooled)
        else:
            self._at_hand = pooled

    async def _return(self, pooled: PoolProxiedConnection) -> None:
        """To the pool, which makes a new one in place of a closed one."""
        if pooled.dbapi_connection:
            self.engine.dialect.reset_isolation_level(_dbapi(pooled))
            if self._closed or is_closed(pooled):
                await greenlet_spawn(pooled.invalidate)
        await greenlet_spawn(pooled.close)

    async def close(self) -> None:
        """Disconnect; what is taken is closed when it is given back."""
        self._closed = True
        pooled, self._at_hand = self._at_hand, None
        if pooled:
            await self._return(pooled)
        await self.engine.dispose()


def _dbapi(pooled: PoolProxiedConnection) -> Any:
    return pooled.dbapi_connection


def is_closed(pooled: PoolProxiedConnection) -> bool:
    """Also when SQLAlchemy has given it up, after a cancellation for one."""
    connection: Any = pooled.driver_connection
    return bool(connection is None or connection.is_closed())


def _has_rested(info: MutableMapping[Any, Any]) -> bool:
    used: float = info.get(_USED, 0.0)
    return time.monotonic() - used > RESTED_SECONDS


def _ask_after_rest(engine: AsyncEngine) -> None:
    """A connection that rested is asked whether it lives; one that was in use just now is not."""

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info.setdefault(_USED, time.monotonic())

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError("the connection was closed at rest")
        rested = _has_rested(record.info)
        record.info.pop(_USED, None)
        if not rested:
            return
        try:
            connection.run_async(_answered)
        except Exception as error:
            raise InvalidatePoolError("the connection has died at rest") from error


async def _answered(connection: Any) -> None:
    await connection.execute("SELECT 1")
