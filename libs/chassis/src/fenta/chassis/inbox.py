"""The inbox remembers every event a group has handled, so that the second arrival changes nothing."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_CLAIM = text(
    "INSERT INTO inbox (event_id) SELECT DISTINCT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING "
    "RETURNING CAST(event_id AS text)"
)


async def claim(session: AsyncSession, event_ids: Sequence[str]) -> set[str]:
    """The ids that were never seen before. Both the claim and the effects commit, or neither does."""
    if not event_ids:
        return set()
    return set(await session.scalars(_CLAIM, {"ids": list(event_ids)}))
