"""The inbox remembers every event a group has handled, so that the second arrival changes nothing."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from fenta.chassis.columns import joined, spelt_out

# One row comes back, for a batch of any size: none of the ids where all are new, as they nearly always are.
_CLAIM = text(
    spelt_out("""
    WITH fresh AS (
        INSERT INTO inbox (event_id) SELECT unnest(COLUMN(:ids, uuid)) ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT CASE WHEN count(*) < :count THEN array_agg(CAST(event_id AS text)) END, count(*) FROM fresh
    """)
)


async def claim(session: AsyncSession, event_ids: Sequence[str]) -> set[str]:
    """The ids that were never seen before. Both the claim and the effects commit, or neither does."""
    distinct = set(event_ids)
    if not distinct:
        return distinct
    fresh, count = (await session.execute(_CLAIM, {"ids": joined(sorted(distinct)), "count": len(distinct)})).one()
    return distinct if count == len(distinct) else set(fresh or ())
