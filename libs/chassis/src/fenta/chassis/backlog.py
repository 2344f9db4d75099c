"""What of the outbox is not in Kafka yet, in the hands of one relay at a time."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from fenta.chassis.columns import joined, spelt_out
from fenta.chassis.outbox import OutboxRow, unpacked

# How many events there are in each row, in the order of the rows.
Batch = Mapping[int, int]
NOTHING: Batch = {}
SWEEP_EVENTS = 20_000
# Who says nothing for so long stands still, or is on a machine that is gone: others have the backlog then.
SILENT_SECONDS = 75.0

# That a row was forgotten need not be on the disk: it would be sent again, and nobody should wait for it.
_MANNERS = "SET synchronous_commit TO off; SET idle_session_timeout TO {milliseconds}"
# `fenta.chassis.migrations` has what it does.
_TAKE = "SELECT taken, ids, counts FROM outbox_take($1)"
# The connection is the backlog's own, and holds no other lock.
_LET_GO = "SELECT pg_advisory_unlock_all()"
# In one statement, since each trip to Postgres waits for everything else this process does.
_FORGET_AND_READ_ON = spelt_out("""
    WITH forgotten AS (
        DELETE FROM outbox WHERE id = ANY(COLUMN($1, bigint))
    ), next AS (
        SELECT id, count FROM outbox
        WHERE id NOT IN (SELECT unnest(COLUMN($1, bigint)) UNION ALL SELECT unnest(COLUMN($2, bigint)))
        ORDER BY id LIMIT $3
    )
    SELECT array_agg(id ORDER BY id), array_agg(count ORDER BY id) FROM next
""")
_CONTENTS = spelt_out("SELECT id, heads, bodies FROM outbox WHERE id = ANY(COLUMN($1, bigint))")
# Where Postgres is at it itself there is nothing to do.
_SWEEP = "VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) outbox"


class Backlog:
    """Each statement is a transaction, on a connection of our own: the lock is the connection's, and goes with it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._pooled: Any = None
        self._unswept = 0

    async def take(self, most: int) -> Batch | None:
        """Hold it until `let_go` or `close`, and the first so many events; None while another relay does."""
        driver = await self._driver()
        taken, ids, counts = await driver.fetchrow(_TAKE, most)
        return _batch(ids, counts, most) if taken else None

    async def read_on(self, most: int, *, sent: Batch = NOTHING, sending: Batch = NOTHING) -> Batch:
        """Forget what was sent, for good; the first so many events, but for those that are being sent."""
        driver = await self._driver()
        of_both = joined(map(str, sent)), joined(map(str, sending))
        ids, counts = await driver.fetchrow(_FORGET_AND_READ_ON, *of_both, most)
        await self._sweep(sum(sent.values()))
        return _batch(ids, counts, most)

    async def _sweep(self, forgotten: int) -> None:
        """Rows that are gone lie in the reader's way until they are swept up; Postgres itself looks once a minute."""
        self._unswept += forgotten
        if self._unswept >= SWEEP_EVENTS:
            self._unswept = 0
            driver = await self._driver()
            await driver.execute(_SWEEP)

    async def contents(self, ids: Iterable[int]) -> dict[int, Sequence[OutboxRow]]:
        """The events of these rows."""
        driver = await self._driver()
        found = await driver.fetch(_CONTENTS, joined(map(str, ids)))
        return {row["id"]: list(unpacked(row["heads"], row["bodies"])) for row in found}

    async def let_go(self) -> None:
        """Let another relay have it."""
        driver = await self._driver()
        await driver.fetchval(_LET_GO)

    async def close(self) -> None:
        """Leave it to others at once, whatever state the connection is in."""
        pooled, self._pooled = self._pooled, None
        if pooled is not None:
            pooled.driver_connection.terminate()
            pooled.invalidate()

    async def _driver(self) -> Any:
        if self._pooled is None:
            self._pooled = await self._engine.raw_connection()
            await self._pooled.driver_connection.execute(_MANNERS.format(milliseconds=int(1000 * SILENT_SECONDS)))
        return self._pooled.driver_connection


def _batch(ids: Sequence[int] | None, counts: Sequence[int] | None, most: int) -> Batch:
    """As many rows as have so many events, and one in any case."""
    rows = zip(ids or (), counts or (), accumulate(counts or ()), strict=True)
    return {row: count for row, count, so_far in rows if so_far <= most or so_far == count}
