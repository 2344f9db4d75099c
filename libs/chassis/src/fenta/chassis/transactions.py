"""One transaction on one connection, shared by the driver's own statements and by SQLAlchemy where somebody uses it.

The few statements that every event runs go straight to the driver: the way through SQLAlchemy's layers takes longer
than Postgres does.
"""

from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only

from fenta.chassis.connections import Connections, is_closed


class Transaction:
    """It has a connection from the first statement on, until `close`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._pooled: PoolProxiedConnection | None = None
        self._joined: Connection | None = None
        self.begun = False

    async def connection(self) -> Any:
        """The driver's connection. What is done on it before the transaction has begun commits by itself."""
        if self._pooled is None:
            self._pooled = await self._connections.take()
        return self._pooled.driver_connection

    async def driver(self) -> Any:
        """The driver's connection, with the transaction begun."""
        if not self.begun:
            await self.begin_with("")
        return await self.connection()

    async def begin_with(self, statement: str) -> str:
        """Begin, and run this statement without parameters in the same trip to Postgres; answers its status.

        Raises RuntimeError where the transaction has begun already.
        """
        if self.begun:
            raise RuntimeError("the transaction has begun already")
        connection, self.begun = await self.connection(), True
        return str(await connection.execute(f"BEGIN; {statement}"))

    def join(self) -> Connection:
        """The same connection as SQLAlchemy knows it; only where SQLAlchemy itself is about to use it."""
        if self._joined is None:
            await_only(self.driver())
            self._joined = Connection(self._connections.engine.sync_engine, self._pooled)
        return self._joined

    async def commit(self) -> None:
        """Raises RuntimeError where Postgres rolled back instead, since a statement before had failed."""
        if self.begun:
            connection = await self.connection()
            if await connection.execute("COMMIT") != "COMMIT":
                raise RuntimeError("a statement of this transaction had failed, so nothing of it was committed")
            self.begun = False

    async def close(self) -> None:
        """Take back what was not committed, and give the connection back."""
        if self._pooled is None:
            return
        pooled, self._pooled = self._pooled, None
        connection: Any = pooled.driver_connection
        try:
            if self.begun and not is_closed(pooled):
                await connection.execute("ROLLBACK")
        except BaseException:
            # Nobody else may go on in a transaction that is still open.
            connection.terminate()
            raise
        finally:
            await self._connections.give_back(pooled)
