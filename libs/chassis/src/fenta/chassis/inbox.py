"""The inbox remembers every event a group has handled, so that the second arrival changes nothing."""

from collections.abc import Sequence

from fenta.chassis.columns import joined, spelt_out
from fenta.chassis.database import Session

# One row comes back, for a batch of any size: none of the ids where all are new, as they nearly always are.
_CLAIM = spelt_out("""
    WITH fresh AS (
        INSERT INTO inbox (event_id) SELECT unnest(COLUMN($1, uuid)) ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT count(*), CASE WHEN count(*) < $2 THEN (SELECT array_agg(CAST(event_id AS text)) FROM fresh) END FROM fresh
""")


async def claim(session: Session, event_ids: Sequence[str]) -> set[str]:
    """The ids that were never seen before. Both the claim and the effects commit, or neither does."""
    distinct = set(event_ids)
    if not distinct:
        return distinct
    driver = await session.driver()
    count, fresh = await driver.fetchrow(_CLAIM, joined(sorted(distinct)), len(distinct))
    return distinct if count == len(distinct) else set(fresh or ())
